import { roundUp } from '../tensor/index.ts';
import type { Reader } from './pack.ts';

/** The tiles of 8 rows × 4 columns of a product that are not all zero, in the order of the sparse kernels. */
export interface Tiles {
  /** As sparseF32 wants it. */
  readonly index: Uint16Array;
  /** First row and first column of each. */
  readonly places: readonly (readonly [row: number, column: number])[];
  /** Their share of all tiles that the dense kernel would work on. */
  readonly density: number;
}

/** Looks for zeros in the rows as they lie in strips of 16; undefined where there are more tiles than 16 bits can count. */
export function findTiles(rows: number, columns: number, read: Reader): Tiles | undefined {
  const quads = roundUp(columns, 4) / 4;
  const count = roundUp(rows, 16) / 8;
  if (Math.max(quads, count) > 0xffff) return undefined;
  const strips = Array.from({ length: count }, (_, strip) => {
    const height = Math.min(8, rows - strip * 8);
    const tiles: number[] = [];
    for (let quad = 0; quad < quads; quad++) {
      if (!isZero(strip * 8, height, 4 * quad, Math.min(4, columns - 4 * quad), read)) tiles.push(quad);
    }
    return { strip, tiles };
  });
  // Pairs of strips that have much the same to do, one pair after the other: what the kernels are fast on.
  strips.sort((a, b) => a.tiles.length - b.tiles.length);
  const index: number[] = [];
  for (let i = 0; i < count; i += 2) {
    const [a, b] = [strips[i]!, strips[i + 1]!];
    index.push(a.strip, b.strip, a.tiles.length, b.tiles.length, ...a.tiles, ...b.tiles);
  }
  const places = strips.flatMap(({ strip, tiles }) => tiles.map((quad) => [8 * strip, 4 * quad] as const));
  return { index: Uint16Array.from(index), places, density: places.length / (count * quads) };
}

function isZero(row: number, height: number, column: number, width: number, read: Reader): boolean {
  for (let i = 0; i < height; i++) {
    for (let c = 0; c < width; c++) if (read(row + i, column + c) !== 0) return false;
  }
  return true;
}

/** float32 tiles in the order of sparseF32. */
export function packFloatTiles({ places }: Tiles, rows: number, columns: number, read: Reader): Float32Array {
  const out = new Float32Array(32 * places.length);
  eachWeight(places, rows, columns, (tile, i, c, row, column) => {
    out[32 * tile + 8 * c + i] = read(row, column);
  });
  return out;
}

/** int8 tiles in the order of sparseI8. */
export function packByteTiles({ places }: Tiles, rows: number, columns: number, read: Reader): Int8Array {
  const out = new Int8Array(32 * places.length);
  eachWeight(places, rows, columns, (tile, i, c, row, column) => {
    out[32 * tile + 4 * i + c] = read(row, column);
  });
  return out;
}

/** Tiles of 4-bit table indices in the order of sparseI4. */
export function packNibbleTiles({ places }: Tiles, rows: number, columns: number, read: Reader): Uint8Array {
  const out = new Uint8Array(16 * places.length);
  eachWeight(places, rows, columns, (tile, i, c, row, column) => {
    out[16 * tile + 4 * (i & 3) + c]! |= read(row, column) << (i & 4);
  });
  return out;
}

/** Row i and column c of each tile that lie in the matrix. */
function eachWeight(
  places: Tiles['places'],
  rows: number,
  columns: number,
  use: (tile: number, i: number, c: number, row: number, column: number) => void,
): void {
  places.forEach(([row, column], tile) => {
    for (let i = 0; i < 8 && row + i < rows; i++) {
      for (let c = 0; c < 4 && column + c < columns; c++) use(tile, i, c, row + i, column + c);
    }
  });
}
