import { fail } from '@gatefold/runtime';
import type { Family } from './families.ts';
import type { Settled } from './options.ts';
import type { Ranking } from './scores/index.ts';

/** Kernels work on so many rows at once: a layer of any size between two multiples takes the time of the larger. */
const lanes = 8;

/** What a layer's number of units is rounded to. A number that was asked for stands as it is; small layers are not rounded. */
export function multipleFor(units: number, { multiple, units: asked }: Pick<Settled, 'multiple' | 'units'>): number {
  if (multiple !== undefined) return multiple;
  return asked < 1 && units >= 2 * lanes ? lanes : 1;
}

/**
 * Units that a family keeps of `total`.
 * @throws OPTION_INVALID where none would be left, naming the layer
 */
function keepCount(name: string, total: number, settled: Pick<Settled, 'multiple' | 'units'>): number {
  const wanted = settled.units < 1 ? settled.units * total : settled.units;
  const multiple = multipleFor(total, settled);
  let count = Math.min(total, Math.round(wanted / multiple) * multiple);
  if (count === 0 && settled.multiple === undefined) count = Math.round(wanted);
  if (count < 1) {
    fail('OPTION_INVALID', `no unit of "${name}" would be left`, {
      place: name,
      expected: `at least ${Math.min(multiple, total)} of ${total} units`,
      found: `${settled.units} of ${total}, in multiples of ${multiple}`,
      hint: 'keep more, or leave this layer out with --target',
    });
  }
  return count;
}

/** Channels to remove, for each family the cheapest ones. */
export function chooseChannels(
  families: readonly Family[],
  rankings: readonly Ranking[],
  settled: Settled,
): ReadonlySet<number> {
  const counts =
    settled.scope === 'global'
      ? globalCounts(families, rankings, settled)
      : families.map(({ name, channels }) => keepCount(name, channels.length, settled));
  return new Set(
    families.flatMap(({ channels, free }, i) =>
      // Units that must stay count among those that are kept.
      rankings[i]!.order.slice(0, Math.min(free.length, channels.length - counts[i]!)),
    ),
  );
}

/**
 * Units that each family keeps where all are ranked together: costs are compared as multiples of their family's mean, and no
 * family loses its last units.
 */
function globalCounts(families: readonly Family[], rankings: readonly Ranking[], settled: Settled): number[] {
  const totals = families.map(({ channels }) => channels.length);
  const all = totals.reduce((sum, total) => sum + total, 0);
  const kept = [...totals];
  const least = totals.map((total) => Math.min(total, multipleFor(total, settled)));
  const candidates = rankings.flatMap(({ costs }, family) => {
    const mean = costs.reduce((sum, cost) => sum + cost, 0) / costs.length || 1;
    return costs.map((cost) => ({ family, cost: cost / mean }));
  });
  candidates.sort((a, b) => a.cost - b.cost);
  let surplus = all - keepCount('all layers', all, { ...settled, multiple: 1 });
  for (const { family } of candidates) {
    if (surplus <= 0) break;
    if (kept[family]! <= least[family]!) continue;
    kept[family]!--;
    surplus--;
  }
  return kept.map((count, i) => {
    const multiple = multipleFor(totals[i]!, settled);
    return Math.min(totals[i]!, Math.max(least[i]!, Math.round(count / multiple) * multiple));
  });
}
