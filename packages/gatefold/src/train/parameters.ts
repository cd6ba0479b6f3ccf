import { decode, denseWeight, fail, type Model, type Weight } from '@gatefold/runtime';
import type { Backend, Matrix } from './backend/types.ts';
import type { Var } from './tape.ts';

/** A trained weight: its values and their gradient, [rows, columns] as the runtime holds it; vectors are one row. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly value: Matrix;
  readonly gradient: Matrix;
  readonly variable: Var;
}

/** The weights of a model in a backend, those that are trained with their gradients. */
export class Parameters {
  /** In the order of the model. */
  readonly trained: readonly Parameter[];
  private readonly backend: Backend;
  private readonly variables = new Map<string, Var>();

  /** `which` tells which weights change. @throws TARGET_EMPTY where none does, though some should */
  constructor(backend: Backend, model: Model, which: ((name: string) => boolean) | 'none' = () => true) {
    this.backend = backend;
    const trained: Parameter[] = [];
    for (const [name, weight] of Object.entries(model.weights)) {
      const [rows, cols] = matrixShape(weight.shape);
      const value = backend.alloc(rows, cols);
      backend.write(value, decode(weight));
      if (which === 'none' || !which(name)) {
        this.variables.set(name, { value, tracked: false, gradient: () => value });
        continue;
      }
      const gradient = backend.alloc(rows, cols);
      const variable = { value, tracked: true, gradient: () => gradient };
      this.variables.set(name, variable);
      trained.push({ name, shape: weight.shape, value, gradient, variable });
    }
    if (trained.length === 0 && which !== 'none')
      fail('TARGET_EMPTY', 'no weight is left to be trained', { place: model.name });
    this.trained = trained;
  }

  get(name: string): Var {
    return this.variables.get(name)!;
  }

  clearGradients(): void {
    for (const { gradient } of this.trained) this.backend.fill(gradient, 0);
  }

  /** The square root of the sum of all squared gradients. */
  gradientNorm(): number {
    return Math.sqrt(this.trained.reduce((sum, { gradient }) => sum + this.backend.sumSquares(gradient), 0));
  }

  /** A copy of the trained values. */
  snapshot(): Map<string, Float32Array> {
    return new Map(this.trained.map(({ name, value }) => [name, Float32Array.from(this.backend.read(value))]));
  }

  restore(values: ReadonlyMap<string, ArrayLike<number>>): void {
    for (const { name, value } of this.trained) this.backend.write(value, values.get(name)!);
  }
}

/** The model with other values; trained weights become float32. */
export function withValues(model: Model, values: ReadonlyMap<string, Float32Array>): Model {
  const weights: Record<string, Weight> = { ...model.weights };
  for (const [name, data] of values) weights[name] = denseWeight(model.weights[name]!.shape, data);
  return { ...model, weights };
}

function matrixShape(shape: readonly number[]): [number, number] {
  const cols = shape.slice(1).reduce((product, n) => product * n, 1);
  return shape.length === 1 ? [1, shape[0]!] : [shape[0]!, cols];
}
