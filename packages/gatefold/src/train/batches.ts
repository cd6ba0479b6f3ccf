import { fail } from '@gatefold/runtime';
import { type Dataset, type Examples, padTogether } from '../data/index.ts';
import { randomFor, shuffled } from './random.ts';

/** One step's data. */
export interface TrainBatch {
  readonly batch: number;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  /** Steps of each example by input, where they differ: the rest is padding. */
  readonly lengths?: Readonly<Record<string, readonly number[]>>;
  /** Examples first, then time. */
  readonly targets: Float32Array;
  /** Steps or labels that each example has targets of, where that differs: the rest is padding. */
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

/** Batches among which examples of similar length are brought together. */
const pool = 16;

/** Examples in an order of their own each epoch. Those of different lengths are padded to the longest of their batch. */
function exampleSource(dataset: Dataset, { batch, seed }: BatchOptions): BatchSource {
  const ragged = [...Object.values(dataset.inputs), dataset.targets!].some(({ lengths }) => lengths !== undefined);
  const cut = (ids: readonly number[], size: number) =>
    Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size));
  const [longest] = Object.values(dataset.inputs).sort((a, b) => (b.shape[1] ?? 0) - (a.shape[1] ?? 0));
  return {
    perEpoch: Math.ceil(dataset.count / batch),
    *epoch(number) {
      const random = randomFor(seed, 1, number);
      const order = shuffled(dataset.count, random);
      const lengthOf = (id: number) => longest!.lengths?.[id] ?? 0;
      const near = ragged
        ? cut(order, batch * pool).flatMap((ids) => ids.sort((a, b) => lengthOf(a) - lengthOf(b)))
        : order;
      const parts = cut(near, batch);
      for (const i of shuffled(parts.length, random)) {
        const ids = parts[i]!;
        yield { batch: ids.length, ...paddedBatch(dataset, ids), carry: false, first: true };
      }
    },
  };
}

/** The examples side by side. Sequences are padded by their last step: numbers that the model may meet. */
function paddedBatch(
  { inputs, targets }: Dataset,
  ids: readonly number[],
): Pick<TrainBatch, 'inputs' | 'lengths' | 'targets' | 'targetLengths'> {
  const padded = Object.entries(inputs).map(([name, examples]) => [name, padTogether(examples, ids)] as const);
  const lengths = padded.flatMap(([name, part]) => (part.lengths ? [[name, part.lengths] as const] : []));
  const wanted = padTogether(targets!, ids);
  return {
    inputs: Object.fromEntries(padded.map(([name, { data }]) => [name, data])),
    ...(lengths.length > 0 ? { lengths: Object.fromEntries(lengths) } : {}),
    targets: wanted.data,
    ...(wanted.lengths ? { targetLengths: wanted.lengths } : {}),
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
