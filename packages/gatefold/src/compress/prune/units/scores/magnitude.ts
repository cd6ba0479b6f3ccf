import { decode } from '@gatefold/runtime';
import { addToGroups, groupedWeights } from '../groups.ts';
import { type Criterion, rankBy } from './types.ts';

/** The norm of everything that belongs to the unit: its own rows and its columns at those who read it. */
export const magnitude: Criterion = (model, map, families) => {
  const squares = new Float64Array(map.count);
  for (const group of groupedWeights(model, map)) {
    const values = decode(model.weights[group.name]!);
    addToGroups(squares, group, (i) => values[i]! ** 2);
  }
  return rankBy(families, (channel) => Math.sqrt(squares[channel]!));
};
