import type { Model } from '@gatefold/runtime';
import { type Dataset, fitToModel } from '../data/index.ts';
import { WasmBackend } from './backend/wasm.ts';
import { batchSource } from './batches.ts';
import { Replica } from './replica.ts';

export interface ProbeOptions {
  /** Examples per gradient (for texts: streams), and how many gradients at most; default 8 and 64. */
  readonly batch?: number;
  readonly most?: number;
  /** Steps of a text; default 64. */
  readonly window?: number;
  readonly seed?: number;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What gradients of the loss look like over data, by weight name, row-major as the weights. */
export interface GradientMoments {
  /** E|∂L/∂w| */
  readonly absolute: ReadonlyMap<string, Float64Array>;
  /** E(∂L/∂w)²: the diagonal of the empirical Fisher matrix, of batches. */
  readonly squares: ReadonlyMap<string, Float64Array>;
}

/** Gradients of a model on data that it is not trained on here. @throws DATA_INVALID, MODEL_UNSUPPORTED */
export function gradientMoments(model: Model, dataset: Dataset, options: ProbeOptions = {}): GradientMoments {
  const { batch = 8, most = 64, window = 64, seed = 1, onProgress, signal } = options;
  const data = fitToModel(dataset, model);
  const backend = new WasmBackend();
  const replica = new Replica(backend, { model, task: data.task, seed, loss: {}, dropout: 0, recurrentDropout: 0 });
  const source = batchSource(data, { batch, window, seed });
  const count = Math.min(most, source.perEpoch);
  const zeros = () =>
    new Map(replica.parameters.trained.map(({ name, value }) => [name, new Float64Array(value.rows * value.cols)]));
  const [absolute, squares] = [zeros(), zeros()];
  let done = 0;
  for (const part of source.epoch(0)) {
    if (done === count) break;
    signal?.throwIfAborted();
    replica.gradients(part, done);
    for (const { name, gradient } of replica.parameters.trained) {
      const g = backend.read(gradient);
      const [sum, power] = [absolute.get(name)!, squares.get(name)!];
      for (let i = 0; i < g.length; i++) {
        sum[i] = sum[i]! + Math.abs(g[i]!) / count;
        power[i] = power[i]! + (g[i]! * g[i]!) / count;
      }
    }
    onProgress?.(++done, count);
  }
  return { absolute, squares };
}
