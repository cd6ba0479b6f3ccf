import { roundUp } from '../tensor/index.ts';

/** Reads element (row, column) of a matrix. */
export type Reader = (row: number, column: number) => number;

/** Per strip of 16 rows, per column, 16 values: what the float32-operand kernels read. Missing rows are zero. */
export function packColumns<T extends Float32Array | Int16Array | Int8Array>(
  out: T,
  rows: number,
  columns: number,
  read: Reader,
): T {
  for (let row = 0; row < rows; row++) {
    const base = (row >> 4) * 16 * columns + (row & 15);
    for (let k = 0; k < columns; k++) out[base + k * 16] = read(row, k);
  }
  return out;
}

/** Position of (row, column) in the integer kernels' order: strips of 16 rows, 4 columns, 4 blocks of [4][4]. */
function quadIndex(row: number, column: number, quads: number): number {
  return ((row >> 4) * quads + (column >> 2)) * 64 + ((row & 15) >> 2) * 16 + (row & 3) * 4 + (column & 3);
}

/** int8 weights in the order of linearI8; missing rows and columns are zero. */
export function packQuads(rows: number, columns: number, read: Reader): Int8Array {
  const quads = roundUp(columns, 4) / 4;
  const out = new Int8Array((roundUp(rows, 16) / 16) * quads * 64);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < columns; k++) out[quadIndex(row, k, quads)] = read(row, k);
  }
  return out;
}

/** 4-bit table indices in the order of linearI4; `empty` is the index that stands for missing rows and columns. */
export function packNibbles(rows: number, columns: number, read: Reader, empty: number): Uint8Array {
  const quads = roundUp(columns, 4) / 4;
  const whole = new Uint8Array((roundUp(rows, 16) / 16) * quads * 64).fill(empty);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < columns; k++) whole[quadIndex(row, k, quads)] = read(row, k);
  }
  const out = new Uint8Array(whole.length / 2);
  for (let i = 0; i < out.length; i++) {
    const at = (i >> 4) * 32 + (i & 15);
    out[i] = whole[at]! | (whole[at + 16]! << 4);
  }
  return out;
}
