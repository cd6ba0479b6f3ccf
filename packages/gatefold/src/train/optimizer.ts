import type { Backend, Matrix } from './backend/types.ts';
import type { Parameters } from './parameters.ts';

/** Adam (AdamW with `decay`), or stochastic gradient descent. */
export interface OptimizerOptions {
  readonly name: 'adam' | 'sgd';
  /** Learning rate; default 0.001 for adam, 0.1 for sgd. */
  readonly rate?: number;
  /** Weight decay, decoupled for adam. */
  readonly decay?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** Gradients together are scaled to at most this norm; 0 for none. */
  readonly clipNorm?: number;
  /** Every gradient is cut to ±this; 0 for none. */
  readonly clipValue?: number;
}

/** Moments beside the parameters. */
export class Optimizer {
  private readonly backend: Backend;
  private readonly parameters: Parameters;
  private readonly options: OptimizerOptions;
  private readonly moments: readonly { readonly first: Matrix; readonly second: Matrix | undefined }[];
  /** Updates done. */
  steps = 0;

  constructor(backend: Backend, parameters: Parameters, options: OptimizerOptions) {
    this.backend = backend;
    this.parameters = parameters;
    this.options = options;
    const zeros = ({ rows, cols }: Matrix) => {
      const m = backend.alloc(rows, cols);
      backend.fill(m, 0);
      return m;
    };
    this.moments = parameters.trained.map(({ value }) => ({
      first: zeros(value),
      second: options.name === 'adam' ? zeros(value) : undefined,
    }));
  }

  /** One update with the rate times `factor`, which it returns; `norm` is that of all gradients together. */
  step(factor: number, norm: number): number {
    const { backend, parameters, moments, options } = this;
    const { name, rate = name === 'adam' ? 1e-3 : 0.1, decay = 0, momentum = 0, nesterov = false } = options;
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, clipNorm = 0, clipValue = 0 } = options;
    this.steps++;
    const shrink = clipNorm > 0 && norm > clipNorm ? clipNorm / norm : 1;
    parameters.trained.forEach(({ value, gradient }, i) => {
      if (shrink !== 1) backend.scaled(shrink, gradient, gradient, false);
      if (clipValue > 0) backend.unary(['clip', -clipValue, clipValue], gradient, gradient);
      const { first, second } = moments[i]!;
      if (!second) {
        backend.sgd(value, gradient, first, { rate: rate * factor, momentum, decay, nesterov });
        return;
      }
      backend.adam(value, gradient, first, second, {
        rate: rate * factor,
        ...{ beta1, beta2, epsilon, decay },
        correction1: 1 - beta1 ** this.steps,
        correction2: 1 - beta2 ** this.steps,
      });
    });
    return rate * factor;
  }

  /** Moments by parameter name. */
  snapshot(): Map<string, Float32Array> {
    const { backend } = this;
    const out = new Map<string, Float32Array>();
    this.parameters.trained.forEach(({ name }, i) => {
      const { first, second } = this.moments[i]!;
      out.set(`first/${name}`, Float32Array.from(backend.read(first)));
      if (second) out.set(`second/${name}`, Float32Array.from(backend.read(second)));
    });
    return out;
  }

  restore(values: ReadonlyMap<string, ArrayLike<number>>, steps: number): void {
    this.parameters.trained.forEach(({ name }, i) => {
      const { first, second } = this.moments[i]!;
      this.backend.write(first, values.get(`first/${name}`)!);
      if (second) this.backend.write(second, values.get(`second/${name}`)!);
    });
    this.steps = steps;
  }
}
