import { decode, denseWeight, fail, keptWeights, type Model, roundTo, type Weight } from '@gatefold/runtime';
import type { Backend, Matrix } from './backend/types.ts';
import { CodedWeight, type CodingOptions } from './coded.ts';
import { statisticsOf } from './ops/batch-statistics.ts';
import type { Parameter } from './parameter.ts';
import type { Var } from './tape.ts';

export interface ParameterOptions {
  /** Which weights change; default all. */
  readonly which?: ((name: string) => boolean) | 'none';
  /** The same model with the encodings that it shall be saved in: its coded weights are trained as they will be executed. */
  readonly coded?: Model;
  readonly coding?: CodingOptions;
}

/** The weights of a model in a backend, those that are trained with their gradients. */
export class Parameters {
  /** In the order of the model; steps of codes follow their weight. */
  readonly trained: readonly Parameter[];
  /** Statistics of batches: saved as they stand, not trained. */
  private readonly moving: Pick<Parameter, 'name' | 'value'>[] = [];
  private readonly backend: Backend;
  private readonly model: Model;
  private readonly variables = new Map<string, Var>();
  private readonly chains: CodedWeight[] = [];

  /** @throws TARGET_EMPTY where no weight is left to be trained; MODEL_UNSUPPORTED for codes that cannot be */
  constructor(backend: Backend, model: Model, { which = () => true, coded, coding }: ParameterOptions = {}) {
    this.backend = backend;
    this.model = coded ?? model;
    const trained: Parameter[] = [];
    const statistics = statisticsOf(model);
    for (const [name, weight] of Object.entries(model.weights)) {
      const [rows, cols] = matrixShape(weight.shape);
      const value = backend.alloc(rows, cols);
      backend.write(value, decode(weight));
      if (which === 'none' || !which(name)) {
        if (coded) backend.write(value, decode(coded.weights[name]!));
        this.variables.set(name, { value, tracked: false, gradient: () => value });
        continue;
      }
      if (statistics.has(name)) {
        this.moving.push({ name, value });
        this.variables.set(name, { value, tracked: false, gradient: () => value });
        continue;
      }
      const gradient = backend.alloc(rows, cols);
      const kept = this.keptOf(weight.sparsity ? weight : coded?.weights[name], value);
      const parameter = { name, shape: weight.shape, value, gradient, ...(kept ? { kept } : {}) };
      trained.push(parameter);
      const target = coded?.weights[name];
      if (target && target.encoding.kind !== 'dense') {
        const chain = new CodedWeight(backend, parameter, target, coding);
        this.chains.push(chain);
        trained.push(chain.step);
        this.variables.set(name, chain.variable);
      } else {
        this.variables.set(name, { value, tracked: true, gradient: () => gradient });
      }
    }
    if (trained.length === 0 && which !== 'none') {
      fail('TARGET_EMPTY', 'no weight is left to be trained', { place: model.name });
    }
    this.trained = trained;
  }

  private keptOf(weight: Weight | undefined, { rows, cols }: Matrix): Matrix | undefined {
    const kept = weight && keptWeights(weight);
    if (!kept) return undefined;
    const mask = this.backend.alloc(rows, cols);
    this.backend.write(mask, kept);
    return mask;
  }

  get(name: string): Var {
    return this.variables.get(name)!;
  }

  /** Whether the weight holds statistics that follow the batches. */
  moves(name: string): boolean {
    return this.moving.some((weight) => weight.name === name);
  }

  /** Before a batch: zero gradients, and coded weights as their codes stand when such a share of the run is done. */
  prepare(done = 1): void {
    for (const { gradient } of this.trained) this.backend.fill(gradient, 0);
    for (const chain of this.chains) chain.prepare(done);
  }

  /** After the way back: gradients go on through the codes. */
  finish(): void {
    for (const chain of this.chains) chain.finish();
  }

  /** When all gradients are in: weights that were removed have none, so that they stay zero. */
  dropRemoved(): void {
    for (const { gradient, kept } of this.trained) {
      if (kept) this.backend.binary('multiply', gradient, kept, gradient, false);
    }
  }

  /** The square root of the sum of all squared gradients. */
  gradientNorm(): number {
    return Math.sqrt(this.trained.reduce((sum, { gradient }) => sum + this.backend.sumSquares(gradient), 0));
  }

  /** A copy of the values that training changes. */
  snapshot(): Map<string, Float32Array> {
    return new Map(
      [...this.trained, ...this.moving].map(({ name, value }) => [name, Float32Array.from(this.backend.read(value))]),
    );
  }

  restore(values: ReadonlyMap<string, ArrayLike<number>>): void {
    for (const { name, value } of [...this.trained, ...this.moving]) this.backend.write(value, values.get(name)!);
  }

  /** The model with these values: coded where it is coded, else in its float type. */
  bake(values: ReadonlyMap<string, Float32Array>): Model {
    const weights: Record<string, Weight> = { ...this.model.weights };
    const chains = new Map(this.chains.map((chain) => [chain.name, chain]));
    for (const [name, data] of values) {
      const chain = chains.get(name);
      const before = this.model.weights[name];
      if (chain) weights[name] = chain.bake(data, values.get(chain.step.name)!);
      else if (before) weights[name] = denseOf(before, data);
    }
    return { ...this.model, weights };
  }
}

function denseOf({ shape, encoding, sparsity }: Weight, data: Float32Array): Weight {
  const plain: Weight = { ...denseWeight(shape, data), ...(sparsity ? { sparsity } : {}) };
  if (encoding.kind !== 'dense' || encoding.type === 'f32') return plain;
  return { ...plain, encoding: { ...encoding, values: roundTo('f16', data.slice()) } };
}

function matrixShape(shape: readonly number[]): [number, number] {
  const cols = shape.slice(1).reduce((product, n) => product * n, 1);
  return shape.length === 1 ? [1, shape[0]!] : [shape[0]!, cols];
}
