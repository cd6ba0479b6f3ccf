import { decode, fail, type Model, usesOf } from '@gatefold/runtime';
import { fitToModel } from '../../../../data/index.ts';
import { WasmBackend } from '../../../../train/backend/wasm.ts';
import { batchSource } from '../../../../train/batches.ts';
import { Replica } from '../../../../train/replica.ts';
import type { PassContext } from '../../../pass.ts';
import { addToGroups, groupedWeights } from '../groups.ts';
import { type Criterion, rankBy } from './types.ts';

/** Batches that gradients are taken from; more hardly change the order. */
const mostBatches = 64;

/** Hands out the gradient of the loss in every weight, batch by batch. */
function eachGradient(
  model: Model,
  { training, seed = 1, signal, onProgress }: PassContext,
  see: (gradients: ReadonlyMap<string, ArrayLike<number>>) => void,
): void {
  if (!training?.targets) {
    fail('DATA_INVALID', 'gradients need data with targets', { hint: 'give them with --train' });
  }
  const data = fitToModel(training, model);
  const backend = new WasmBackend();
  const replica = new Replica(backend, { model, task: data.task, seed, loss: {}, dropout: 0, recurrentDropout: 0 });
  const source = batchSource(data, { batch: 8, window: 64, seed });
  const total = Math.min(mostBatches, source.perEpoch);
  let done = 0;
  for (const batch of source.epoch(0)) {
    signal?.throwIfAborted();
    replica.gradients(batch, done);
    see(new Map(replica.parameters.trained.map(({ name, gradient }) => [name, backend.read(gradient)])));
    done++;
    onProgress?.(done, total, 'gradients');
    if (done === total) break;
  }
}

/** The norm of the gradient in everything that belongs to the unit. */
export const gradient: Criterion = (model, map, families, context) => {
  const squares = new Float64Array(map.count);
  const groups = groupedWeights(model, map);
  eachGradient(model, context, (gradients) => {
    for (const group of groups) {
      const g = gradients.get(group.name)!;
      addToGroups(squares, group, (i) => g[i]! ** 2);
    }
  });
  return rankBy(families, (channel) => Math.sqrt(squares[channel]!));
};

/**
 * What the loss changes, to first order, when nobody hears the unit any more: |Σ g·w| over its columns, the derivative of the
 * loss in a factor on its output, averaged over batches (Molchanov et al. 2017): over all data it is near zero once trained.
 */
export const taylor: Criterion = (model, map, families, context) => {
  const sums = new Float64Array(map.count);
  // Columns of a lookup make the unit; columns of all else hear it.
  const hearing = new Set(usesOf(model).flatMap(({ role, weight }) => (role === 'table' ? [] : [weight])));
  const heard = groupedWeights(model, map).flatMap((group) =>
    group.columns && hearing.has(group.name)
      ? [{ ...group, rows: undefined, values: decode(model.weights[group.name]!) }]
      : [],
  );
  eachGradient(model, context, (gradients) => {
    const batch = new Float64Array(map.count);
    for (const group of heard) {
      const g = gradients.get(group.name)!;
      addToGroups(batch, group, (i) => g[i]! * group.values[i]!);
    }
    batch.forEach((value, channel) => {
      sums[channel]! += Math.abs(value);
    });
  });
  return rankBy(families, (channel) => sums[channel]!);
};
