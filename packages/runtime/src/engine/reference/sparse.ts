import type { Frame } from './frame.ts';
import { finish, integerProduct } from './linear.ts';

const f32 = Math.fround;

/** A tile of 8 rows × 4 columns: its first column and its place among the tiles. */
interface Tile {
  readonly column: number;
  readonly number: number;
}

/** The tiles of each strip of 8 rows of W, from an index as sparseF32 has it. */
function tilesOf(f: Frame): Tile[][] {
  const out: Tile[][] = [];
  const u16 = new Uint16Array(f.u8.buffer);
  let at = f.int('index') >> 1;
  let number = 0;
  for (let pair = 0; pair < f.int('strips'); pair++) {
    const [first, second, firstCount, secondCount] = u16.subarray(at, at + 4);
    at += 4;
    out[first!] = Array.from({ length: firstCount! }, () => ({ column: 4 * u16[at++]!, number: number++ }));
    out[second!] = Array.from({ length: secondCount! }, () => ({ column: 4 * u16[at++]!, number: number++ }));
  }
  return out;
}

export function sparseF32(f: Frame): void {
  const src = f.ref('src');
  const k = f.int('k');
  const tiles = tilesOf(f);
  for (let r = 0; r < f.rows; r++) {
    const x = src.at + r * src.stride;
    for (let i = 0; i < f.int('strips') * 16; i++) {
      let sum = 0;
      for (const { column, number } of tiles[i >> 3]!) {
        const w = (f.int('weights') >> 2) + 32 * number + (i & 7);
        for (let c = 0; c < 4 && column + c < k; c++) sum = f32(sum + f32(f.f32[w + 8 * c]! * f.f32[x + column + c]!));
      }
      finish(f, r, i, sum);
    }
  }
}

/** sparseI8 and sparseI4: `weight` reads q of row i, column c of a tile. */
function sparseInteger(f: Frame, weight: (tile: number, i: number, c: number) => number): void {
  const tiles = tilesOf(f);
  integerProduct(f, (i, codesAt) => {
    let sum = 0;
    for (const { column, number } of tiles[i >> 3]!) {
      for (let c = 0; c < 4; c++) sum += weight(number, i, c) * f.u8[codesAt + column + c]!;
    }
    return sum;
  });
}

export function sparseI8(f: Frame): void {
  const weights = f.int('weights');
  sparseInteger(f, (tile, i, c) => f.i8[weights + 32 * tile + 4 * (i & 7) + c]!);
}

export function sparseI4(f: Frame): void {
  const weights = f.int('weights');
  const tables = f.int('tables');
  sparseInteger(f, (tile, i, c) => {
    const byte = f.u8[weights + 16 * tile + 4 * (i & 3) + c]!;
    return f.i8[tables + (i >> 4) * 16 + (i & 4 ? byte >> 4 : byte & 15)]!;
  });
}
