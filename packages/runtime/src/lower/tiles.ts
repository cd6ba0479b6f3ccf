import { roundUp } from '../tensor/index.ts';
import type { Reader } from './pack.ts';

/** The tiles of 8 rows × 4 columns of a product that are not all zero. */
export interface Tiles {
  /** Strips of 8 rows in the order of the kernels, each with its tiles: their first columns / 4, ascending. */
  readonly strips: readonly { readonly strip: number; readonly quads: readonly number[] }[];
  readonly count: number;
}

/**
 * Looks for zeros in the rows as they lie in strips of 16 rows; undefined where more than the share `upTo` of the tiles would be left, or
 * more than 16 bits can count.
 */
export function findTiles(rows: number, columns: number, read: Reader, upTo: number): Tiles | undefined {
  const across = roundUp(columns, 4) / 4;
  const down = roundUp(rows, 16) / 8;
  if (Math.max(across, down) > 0xffff) return undefined;
  const most = upTo * across * down;
  const strips: { strip: number; quads: number[] }[] = [];
  let count = 0;
  for (let strip = 0; strip < down; strip++) {
    const height = Math.min(8, rows - strip * 8);
    const quads: number[] = [];
    for (let quad = 0; quad < across; quad++) {
      if (isZero(strip * 8, height, 4 * quad, Math.min(4, columns - 4 * quad), read)) continue;
      quads.push(quad);
      if (++count > most) return undefined;
    }
    strips.push({ strip, quads });
  }
  // Pairs of strips that have much the same to do, one pair after the other: what the kernels are fast on.
  strips.sort((a, b) => a.quads.length - b.quads.length);
  return { strips, count };
}

function isZero(row: number, height: number, column: number, width: number, read: Reader): boolean {
  for (let i = 0; i < height; i++) {
    for (let c = 0; c < width; c++) if (read(row + i, column + c) !== 0) return false;
  }
  return true;
}

/** The list of tiles as sparseF32 wants it. */
export function tileIndex({ strips, count }: Tiles): Uint16Array {
  const out = new Uint16Array(2 * strips.length + count);
  let at = 0;
  for (let i = 0; i < strips.length; i += 2) {
    const pair = strips.slice(i, i + 2);
    for (const { strip } of pair) out[at++] = strip;
    for (const { quads } of pair) out[at++] = quads.length;
    for (const { quads } of pair) {
      out.set(quads, at);
      at += quads.length;
    }
  }
  return out;
}

/** float32 tiles in the order of sparseF32. */
export function packFloatTiles(tiles: Tiles, rows: number, columns: number, read: Reader): Float32Array {
  const out = new Float32Array(32 * tiles.count);
  eachWeight(tiles, rows, columns, (tile, i, c, row, column) => {
    out[32 * tile + 8 * c + i] = read(row, column);
  });
  return out;
}

/** int8 tiles in the order of sparseI8. */
export function packByteTiles(tiles: Tiles, rows: number, columns: number, read: Reader): Int8Array {
  const out = new Int8Array(32 * tiles.count);
  eachWeight(tiles, rows, columns, (tile, i, c, row, column) => {
    out[32 * tile + 4 * i + c] = read(row, column);
  });
  return out;
}

/** Tiles of 4-bit table indices in the order of sparseI4. */
export function packNibbleTiles(tiles: Tiles, rows: number, columns: number, read: Reader): Uint8Array {
  const out = new Uint8Array(16 * tiles.count);
  eachWeight(tiles, rows, columns, (tile, i, c, row, column) => {
    out[16 * tile + 4 * (i & 3) + c]! |= read(row, column) << (i & 4);
  });
  return out;
}

/** Calls back for row i and column c of each tile that lie in the matrix. */
export function eachWeight(
  { strips }: Tiles,
  rows: number,
  columns: number,
  use: (tile: number, i: number, c: number, row: number, column: number) => void,
): void {
  let tile = 0;
  for (const { strip, quads } of strips) {
    for (const quad of quads) {
      for (let i = 0; i < 8 && 8 * strip + i < rows; i++) {
        for (let c = 0; c < 4 && 4 * quad + c < columns; c++) use(tile, i, c, 8 * strip + i, 4 * quad + c);
      }
      tile++;
    }
  }
}
