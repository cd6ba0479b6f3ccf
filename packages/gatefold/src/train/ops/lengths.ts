import type { Matrix } from '../backend/types.ts';
import { pickRows, pickSteps } from '../functions.ts';
import type { TrainContext, Value } from './types.ts';

// Sequences of different lengths in one batch: what an op does in time it does in the time of each example.

/** Whole numbers from 0. */
export const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** How an op places steps: for an example of `length` steps. */
export interface Placing {
  /** Steps that come out. */
  readonly count: (length: number) => number;
  /** The step that stands at `t` of them; −1 for zeros. */
  readonly pick: (t: number, length: number) => number;
}

/** The steps of each example backwards; padding stays behind them. */
export const turned: Placing = { count: (length) => length, pick: (t, length) => length - 1 - t };

/** The steps of x, placed anew. Behind the last step of an example it is repeated. */
export function place(context: TrainContext, x: Value, placing: Placing): Value {
  return placeBeside(context, x, placing.count, [placing.pick]);
}

/** The steps of x placed anew in several ways that all give as many, features beside each other. */
export function placeBeside(
  { tape, batch }: TrainContext,
  { v, steps, lengths }: Value,
  count: Placing['count'],
  picks: readonly Placing['pick'][],
): Value {
  const most = count(steps);
  if (!lengths) {
    const lists = picks.map((pick) => upTo(most).map((t) => pick(t, steps)));
    return { v: pickSteps(tape, v, batch, lists), steps: most };
  }
  const counts = lengths.map(count);
  const lists = picks.map((pick) => {
    const rows = new Float32Array(most * batch);
    for (let t = 0; t < most; t++) {
      for (let b = 0; b < batch; b++) {
        const at = pick(Math.min(t, counts[b]! - 1), lengths[b]!);
        rows[t * batch + b] = at < 0 ? -1 : at * batch + b;
      }
    }
    return rows;
  });
  return { v: pickRows(tape, v, lists), steps: most, lengths: counts };
}

/** A column [steps·batch, 1] of a number per step of each example; padding has that of the last step. */
export function perStep(
  { tape, batch }: TrainContext,
  steps: number,
  lengths: readonly number[] | undefined,
  numberOf: (t: number, length: number, b: number) => number,
): Matrix {
  const column = tape.backend.alloc(steps * batch, 1);
  const numbers = new Float32Array(steps * batch);
  for (let t = 0; t < steps; t++) {
    for (let b = 0; b < batch; b++) {
      const length = lengths?.[b] ?? steps;
      numbers[t * batch + b] = numberOf(t, length, b);
    }
  }
  tape.backend.write(column, numbers);
  return column;
}

/** 1 where a step counts, 0 in padding; times `mask` where there is one. Nothing where all steps count. */
export function countedSteps(
  context: TrainContext,
  { steps, lengths }: Value,
  mask: Matrix | undefined,
): Matrix | undefined {
  if (!lengths) return mask;
  const counted = perStep(context, steps, lengths, (t, length) => Number(t < length));
  if (mask) context.tape.backend.binary('multiply', counted, mask, counted, false);
  return counted;
}

/** The lengths that values which are combined row by row have in common. */
export function commonLengths({ op }: TrainContext, values: readonly Value[]): Pick<Value, 'lengths'> {
  const shown = values.map(({ steps, lengths }) => lengths?.join(', ') ?? `${steps}`);
  if (shown.some((text) => text !== shown[0])) {
    op.refuse('INPUT_SHAPE', 'its inputs have different numbers of steps', { found: shown.join(' and ') });
  }
  const lengths = values[0]?.lengths;
  return lengths ? { lengths } : {};
}
