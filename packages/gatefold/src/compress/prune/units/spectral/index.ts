import { type Criterion, type Ranking, rankBy } from '../scores/types.ts';
import { Elimination } from './eliminate.ts';

/**
 * Units whose values the others say best: greedily, always the one that costs those who read it least, given that they make up
 * for all that are gone (covariances of the states on calibration data).
 */
export const spectral: Criterion = (model, _map, families, context, measured) => {
  return families.map((family, done): Ranking => {
    context.onProgress?.(done, families.length, `covariances of ${family.name}`);
    const own = measured
      .showing(new Set(family.free))
      .map(({ view, moments }) => new Elimination(model, view, moments));
    if (own.length === 0) return rankBy([family], () => 0)[0]!;
    return eliminate(family.free, own, () => context.signal?.throwIfAborted());
  });
};

function eliminate(free: readonly number[], views: readonly Elimination[], check: () => void): Ranking {
  const left = new Set(free);
  const order: number[] = [];
  const costs: number[] = [];
  while (left.size > 0) {
    check();
    let best = left.values().next().value!;
    let least = Number.POSITIVE_INFINITY;
    for (const channel of left) {
      const cost = views.reduce((sum, view) => sum + view.cost(channel), 0);
      if (cost < least) {
        least = cost;
        best = channel;
      }
    }
    left.delete(best);
    for (const view of views) view.remove(best);
    order.push(best);
    // What is gone cannot come back cheaper: costs grow.
    costs.push(Math.max(least, costs.at(-1) ?? 0));
  }
  return { order, costs };
}
