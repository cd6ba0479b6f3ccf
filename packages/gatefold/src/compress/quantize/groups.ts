import type { Granularity } from '@gatefold/runtime';

/** A matrix as rows of gates, and how scales are shared. */
export interface Matrix {
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly rowsPerGate: number;
  /** Whether zero must be among the levels: some weights were removed. */
  readonly needsZero?: boolean;
}

/** Rows that share a scale. */
export function rowsPerGroup({ rows, rowsPerGate }: Matrix, granularity: Granularity): number {
  return { tensor: rows, gate: rowsPerGate, row: 1 }[granularity];
}

/** The values of each group, as views. */
export function groupsOf({ values, rows, columns }: Matrix, perGroup: number): Float32Array[] {
  return Array.from({ length: Math.ceil(rows / perGroup) }, (_, group) =>
    values.subarray(group * perGroup * columns, Math.min((group + 1) * perGroup, rows) * columns),
  );
}

export function largestMagnitude(values: Float32Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}

export function extremes(values: Float32Array): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}
