import { randomFor } from '../../../../train/random.ts';
import { type Criterion, rankBy } from './types.ts';

/** No judgement: the control that every criterion must beat. */
export const random: Criterion = (_model, _map, families, { seed = 1 }) => {
  const draw = randomFor(seed, 7);
  const drawn = new Map(families.flatMap(({ free }) => free.map((channel) => [channel, draw()])));
  return rankBy(families, (channel) => drawn.get(channel)!);
};
