import type { Model } from '@gatefold/runtime';
import { fitToModel, sliceDataset, sliceSteps } from '../../data/index.ts';
import { evaluate } from '../../evaluate/index.ts';
import type { PassContext } from '../pass.ts';
import type { Settled } from './options.ts';
import { cutShares } from './scan.ts';
import { needsData } from './scores.ts';
import type { Chosen } from './select.ts';

/** Shares that each gate is tried with; none loses more than the last of them. */
const tried = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98];
/** Examples, and steps of a text, that they are tried on. */
const few = { examples: 512, steps: 4096 };

/** A share of a gate's weights, and what the loss is without them. */
interface Point {
  readonly removed: number;
  readonly loss: number;
}

/**
 * Gives each gate the share that it can lose: measured one gate after the other, without training, on a few training data; then the
 * asked share of all weights is taken where a weight costs least. Gates differ much: the candidate of an LSTM needs its weights,
 * the others hardly (see the scan).
 * @throws DATA_INVALID without training data
 */
export async function allocate(
  model: Model,
  chosen: readonly Chosen[],
  settled: Settled,
  share: number,
  context: PassContext,
): Promise<Chosen[]> {
  if (!context.training) needsData('scope measured', 'data with targets', '--train');
  const whole = fitToModel(context.training, model);
  const data = (
    whole.count === 1 ? sliceSteps(whole, 0, few.steps) : sliceDataset(whole, 0, Math.min(whole.count, few.examples))
  )!;
  const judge = async (candidate: Model) => {
    const { loss, mse } = (await evaluate(candidate, data)).metrics;
    return (loss ?? mse)!;
  };
  const base = await judge(model);
  const gates = chosen.flatMap((matrix, m) => {
    const without = cutShares(model, matrix, settled, context);
    return matrix.shares.flatMap((own, gate) => (own === undefined ? [] : [{ matrix, m, gate, without }]));
  });
  const hulls: Point[][] = [];
  for (const [i, { matrix, gate, without }] of gates.entries()) {
    const alone = { ...matrix, shares: matrix.shares.map((_, k) => (k === gate ? 1 : undefined)) };
    const size = matrix.gateRows * matrix.columns;
    const points: Point[] = [{ removed: 0, loss: base }];
    for (const [k, part] of tried.entries()) {
      context.signal?.throwIfAborted();
      context.onProgress?.(i * tried.length + k, gates.length * tried.length, 'how much each gate can lose');
      const pruned = without(alone, part);
      if (pruned) points.push({ removed: part * size, loss: Math.max(await judge(pruned), base) });
    }
    hulls.push(lowerHull(points));
  }
  const sizes = gates.map(({ matrix }) => matrix.gateRows * matrix.columns);
  const removed = cheapest(hulls, share * sizes.reduce((sum, size) => sum + size, 0));
  const shares = chosen.map((matrix) => [...matrix.shares]);
  gates.forEach(({ m, gate }, i) => {
    // A share of 0 would leave the gate out; a little of it may go.
    shares[m]![gate] = Math.max(removed[i]! / sizes[i]!, 1e-3);
  });
  return chosen.map((matrix, m) => ({ ...matrix, shares: shares[m]! }));
}

/** The points that no line between two others passes below. */
function lowerHull(points: readonly Point[]): Point[] {
  const out: Point[] = [];
  for (const point of points) {
    while (out.length > 1) {
      const [a, b] = out.slice(-2) as [Point, Point];
      if ((b.loss - a.loss) * (point.removed - a.removed) < (point.loss - a.loss) * (b.removed - a.removed)) break;
      out.pop();
    }
    out.push(point);
  }
  return out;
}

/** Goes along the hulls, always where the loss rises least per weight, until enough is removed. */
function cheapest(hulls: readonly (readonly Point[])[], goal: number): number[] {
  const at = hulls.map(() => 0);
  const removed = hulls.map(() => 0);
  let left = goal;
  while (left > 0) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    hulls.forEach((hull, i) => {
      const [a, b] = [hull[at[i]!]!, hull[at[i]! + 1]];
      const slope = b && (b.loss - a.loss) / (b.removed - a.removed);
      if (slope !== undefined && slope < least) [best, least] = [i, slope];
    });
    // Everything that was tried is taken: what is still missing is taken from all alike.
    if (best < 0) {
      const kept = hulls.map((hull, i) => hull.at(-1)!.removed / tried.at(-1)! - removed[i]!);
      const total = kept.reduce((sum, n) => sum + n, 0);
      return removed.map((n, i) => n + (left * kept[i]!) / total);
    }
    const [a, b] = [hulls[best]![at[best]!]!, hulls[best]![at[best]! + 1]!];
    const step = Math.min(b.removed - a.removed, left);
    removed[best] = removed[best]! + step;
    left -= step;
    at[best] = at[best]! + 1;
  }
  return removed;
}
