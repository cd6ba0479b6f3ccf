import { fail } from '@gatefold/runtime';
import { batches, type Dataset, type Examples, reordered } from '../data/index.ts';
import { randomFor, shuffled } from './random.ts';

/** One step's data. */
export interface TrainBatch {
  readonly batch: number;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  /** Examples first, then time. */
  readonly targets: Float32Array;
  /** Labels of each example, where that differs: the first of its targets. */
  readonly targetLengths?: readonly number[];
  /** Whether states come from the batch before, and whether this is the first of a stream. */
  readonly carry: boolean;
  readonly first: boolean;
}

export interface BatchOptions {
  /** Examples per batch; for texts, streams read side by side. */
  readonly batch: number;
  /** Steps through which a text is differentiated. */
  readonly window: number;
  readonly seed: number;
}

/** How many batches an epoch has, and each of them: the same for the same seed and epoch. */
export interface BatchSource {
  readonly perEpoch: number;
  epoch(number: number): Iterable<TrainBatch>;
}

/** @throws DATA_INVALID without targets, or where a text is too short */
export function batchSource(dataset: Dataset, options: BatchOptions): BatchSource {
  if (!dataset.targets) {
    fail('DATA_INVALID', 'data without targets cannot be learnt from', { place: dataset.name });
  }
  return dataset.task === 'language' && dataset.count === 1
    ? streamSource(dataset, dataset.targets, options)
    : exampleSource(dataset, options);
}

/** Examples in an order of their own each epoch. */
function exampleSource(dataset: Dataset, { batch, seed }: BatchOptions): BatchSource {
  const all = [...batches(dataset, batch)];
  return {
    perEpoch: all.length,
    *epoch(number) {
      const random = randomFor(seed, 1, number);
      const mixed = reordered(dataset, shuffled(dataset.count, random));
      const parts = [...batches(mixed, batch)];
      // Sequences of one length stand together: their batches are mixed once more.
      for (const i of shuffled(parts.length, random)) {
        const { inputs, targets, batch: size } = parts[i]!;
        yield { batch: size, inputs, targets: targets!, carry: false, first: true };
      }
    },
  };
}

/** One long text, cut into equally long streams that are read side by side, window by window, with their states kept. */
function streamSource(dataset: Dataset, targets: Examples, { batch, window }: BatchOptions): BatchSource {
  const steps = targets.data.length;
  const length = Math.floor(steps / batch);
  const perEpoch = Math.ceil(length / window);
  if (length < 1) {
    fail('DATA_INVALID', 'the text is too short for so many streams', {
      place: dataset.name,
      expected: `at least ${batch} symbols`,
      found: `${steps}`,
    });
  }
  const cut = (data: Float32Array, from: number, to: number) => {
    const width = data.length / steps;
    const out = new Float32Array(batch * (to - from) * width);
    for (let b = 0; b < batch; b++) {
      const start = (b * length + from) * width;
      out.set(data.subarray(start, start + (to - from) * width), b * (to - from) * width);
    }
    return out;
  };
  return {
    perEpoch,
    *epoch() {
      for (let from = 0; from < length; from += window) {
        const to = Math.min(from + window, length);
        yield {
          batch,
          inputs: Object.fromEntries(
            Object.entries(dataset.inputs).map(([name, { data }]) => [name, cut(data, from, to)]),
          ),
          targets: cut(targets.data, from, to),
          carry: true,
          first: from === 0,
        };
      }
    },
  };
}
