import { analyse, ChunkRows, fail, graphOf, type Model, sizeOf } from '@gatefold/runtime';
import type { Dataset } from '../data/index.ts';
import type { Backend } from './backend/types.ts';
import type { TrainBatch } from './batches.ts';
import { leastSteps } from './ctc.ts';
import type { Value } from './ops/index.ts';

// Labels of sequences whose places are not known: the loss is CTC.

export interface BlankChoice {
  /** The class that stands for no label; default the last. */
  readonly blank?: number;
}

/**
 * Whether every example of the data has labels of the model, and steps enough for them.
 * @throws DATA_INVALID naming the example
 */
export function checkTranscripts(model: Model, { name, count, inputs, targets, blank: given }: Dataset): void {
  const { graph } = graphOf(model);
  const { times, values } = analyse(model);
  const output = values.get(graph.outputs[0]!.value)!;
  const classes = sizeOf(output.shape);
  const blank = given ?? classes - 1;
  if (blank >= classes) {
    fail('DATA_INVALID', 'the blank is no class of the model', { expected: `0 … ${classes - 1}`, found: `${blank}` });
  }
  const rows = new ChunkRows(times);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const place = `${name}: example ${i + 1}`;
    const labels = targets!.data.subarray(at, at + (targets!.lengths?.[i] ?? targets!.shape[1]!));
    at += labels.length;
    const odd = labels.find((label) => label === blank || label >= classes);
    if (odd !== undefined) {
      fail('DATA_INVALID', odd === blank ? 'a label is the blank' : 'a label is no class of the model', {
        place,
        expected: `0 … ${classes - 1}, without ${blank}, which stands for no label`,
        found: `${odd}`,
      });
    }
    const lengths = Object.entries(inputs).map(([key, { shape, lengths }]) => [key, lengths?.[i] ?? shape[1] ?? 1]);
    const steps = rows.count(Object.fromEntries(lengths), 0).rows[output.time]!;
    const least = leastSteps(labels);
    if (steps < least) {
      fail('DATA_INVALID', 'a sequence is too short for its labels', {
        place,
        expected: `at least ${least} steps out of the model for ${labels.length} labels (equal neighbours need one between)`,
        found: `${steps}`,
      });
    }
  }
}

/** The mean over the sequences of `share`·−log p(labels) per label, and its gradient at the output. */
export function transcriptLoss(
  backend: Backend,
  { v, steps, lengths }: Value,
  { targets, targetLengths, batch }: TrainBatch,
  { blank = v.value.cols - 1 }: BlankChoice,
  share: number,
): number {
  const column = (values: ArrayLike<number>) => {
    const m = backend.alloc(batch, Math.max(1, values.length / batch));
    backend.write(m, values);
    return m;
  };
  const counts = targetLengths ?? new Array<number>(batch).fill(targets.length / batch);
  const weights = counts.map((count) => share / (batch * Math.max(1, count)));
  return backend.ctc(
    v.value,
    {
      steps: column(lengths ?? new Array<number>(batch).fill(steps)),
      labels: column(targets),
      counts: column(counts),
      weights: column(weights),
      blank,
    },
    v.gradient(),
  );
}
