import { type Model, sizeOf } from '@gatefold/runtime';
import type { UnitMap } from './analyse.ts';

/** A weight with the channels of its rows and columns; vectors have one row of columns each. */
export interface GroupedWeight {
  readonly name: string;
  readonly rows: Int32Array | undefined;
  readonly columns: Int32Array | undefined;
  readonly height: number;
  readonly width: number;
}

/** The weights that channels run through: what belongs to a unit is its rows, and its columns at those who read it. */
export function groupedWeights(model: Model, map: UnitMap): GroupedWeight[] {
  return Object.entries(model.weights).flatMap(([name, { shape }]) => {
    const [rows, columns] = [map.axis(name, 0), map.axis(name, 1)];
    if (!rows && !columns) return [];
    return [{ name, rows, columns, height: shape[0]!, width: sizeOf(shape.slice(1)) }];
  });
}

/**
 * Adds the term of every element of a weight to the sums of the units that it belongs to: of its row and of its column, once
 * where they are the same.
 */
export function addToGroups(
  sums: Float64Array,
  { rows, columns, height, width }: GroupedWeight,
  term: (index: number) => number,
): void {
  for (let r = 0; r < height; r++) {
    const row = rows ? rows[r]! : -1;
    for (let c = 0; c < width; c++) {
      const column = columns ? columns[c]! : -1;
      if (row < 0 && column < 0) continue;
      const value = term(r * width + c);
      if (row >= 0) sums[row]! += value;
      if (column >= 0 && column !== row) sums[column]! += value;
    }
  }
}
