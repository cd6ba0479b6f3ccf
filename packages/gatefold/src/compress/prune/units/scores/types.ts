import type { Model } from '@gatefold/runtime';
import type { PassContext } from '../../../pass.ts';
import type { UnitMap } from '../analyse.ts';
import type { Family } from '../families.ts';
import type { Measured } from '../spectral/measured.ts';

/** The free channels of a family, the first to go first, and what each costs; costs are comparable within the family. */
export interface Ranking {
  readonly order: readonly number[];
  readonly costs: readonly number[];
}

/** Judges the units of families; one ranking for each. Deterministic for a seed. */
export type Criterion = (
  model: Model,
  map: UnitMap,
  families: readonly Family[],
  context: PassContext,
  measured: Measured,
) => Ranking[];

/** Ranks by a number per channel, small ones first. */
export function rankBy(families: readonly Family[], score: (channel: number) => number): Ranking[] {
  return families.map(({ free }) => {
    const order = [...free].sort((a, b) => score(a) - score(b) || a - b);
    return { order, costs: order.map(score) };
  });
}
