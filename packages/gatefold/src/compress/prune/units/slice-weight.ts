import {
  type AffineEncoding,
  type Encoding,
  keptWeights,
  type LevelsEncoding,
  partsOf,
  type SimpleEncoding,
  type Sparsity,
  sizeOf,
  type Weight,
} from '@gatefold/runtime';

/** Rows and columns to keep, in order. */
interface Kept {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** Columns there were. */
  readonly width: number;
}

type Numbers = Float32Array | Int8Array | Int16Array | Uint8Array | Uint16Array;

function pick<T extends Numbers>(values: T, { rows, columns, width }: Kept): T {
  const out = values.slice(0, rows.length * columns.length) as T;
  let at = 0;
  for (const row of rows) for (const column of columns) out[at++] = values[row * width + column]!;
  return out;
}

/**
 * Rows that share a scale go on sharing it where every group keeps as many; else each row takes a copy of its own.
 * @returns rows per group now, and for each group now the group before
 */
function regroup(rows: readonly number[], perGroup: number): { perGroup: number; from: number[] } {
  const counts = new Map<number, number>();
  for (const row of rows) {
    const group = Math.floor(row / perGroup);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const [first = 1] = counts.values();
  const even = [...counts.values()].every((count) => count === first);
  return even
    ? { perGroup: first, from: [...counts.keys()] }
    : { perGroup: 1, from: rows.map((row) => Math.floor(row / perGroup)) };
}

function sliceCodes<E extends AffineEncoding | LevelsEncoding>(encoding: E, kept: Kept): E {
  const { perGroup, from } = regroup(kept.rows, encoding.rowsPerGroup);
  const codes = pick(encoding.codes, kept);
  const scales = Float32Array.from(from, (group) => encoding.scales[group]!);
  if (encoding.kind === 'affine') {
    const offsets = encoding.offsets && Float32Array.from(from, (group) => encoding.offsets![group]!);
    return { ...encoding, codes, scales, rowsPerGroup: perGroup, ...(offsets ? { offsets } : {}) };
  }
  const tables = regroup(kept.rows, encoding.rowsPerTable);
  const size = 1 << encoding.bits;
  const levels = new Float32Array(tables.from.length * size);
  tables.from.forEach((table, i) => {
    levels.set(encoding.levels.subarray(table * size, (table + 1) * size), i * size);
  });
  return { ...encoding, codes, scales, rowsPerGroup: perGroup, rowsPerTable: tables.perGroup, levels };
}

function sliceSimple(encoding: SimpleEncoding, kept: Kept): SimpleEncoding {
  return encoding.kind === 'dense' ? { ...encoding, values: pick(encoding.values, kept) } : sliceCodes(encoding, kept);
}

function sliceEncoding(encoding: Encoding, height: number, kept: Kept): Encoding {
  if (encoding.kind !== 'concat') return sliceSimple(encoding, kept);
  const parts = partsOf(encoding, height).flatMap((part) => {
    const rows = kept.rows
      .filter((row) => row >= part.from && row < part.from + part.rows)
      .map((row) => row - part.from);
    return rows.length === 0 ? [] : [{ rows: rows.length, encoding: sliceSimple(part.encoding, { ...kept, rows }) }];
  });
  return { kind: 'concat', parts };
}

/** Blocks do not line up with what is left of a matrix: its weights are kept or removed one by one. */
function sliceSparsity(weight: Weight, before: Sparsity, kept: Kept): Sparsity {
  const single = keptWeights(weight)!;
  const gates = weight.shape[0]! / before.gateRows;
  const gateRows = kept.rows.length % gates === 0 ? kept.rows.length / gates : kept.rows.length;
  return { block: [1, 1], gateRows, kept: pick(single, kept) };
}

/** A weight with some of its rows and columns (vectors: elements): the codes of those that stay are the same. */
export function sliceWeight(weight: Weight, rows: readonly number[], columns: readonly number[]): Weight {
  const { shape, encoding, sparsity } = weight;
  const kept = { rows, columns, width: sizeOf(shape.slice(1)) };
  return {
    ...weight,
    shape: shape.length === 1 ? [rows.length] : [rows.length, columns.length],
    encoding: sliceEncoding(encoding, shape[0]!, kept),
    ...(sparsity ? { sparsity: sliceSparsity(weight, sparsity, kept) } : {}),
  };
}
