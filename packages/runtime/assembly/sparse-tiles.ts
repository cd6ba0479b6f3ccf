import { INT8 } from './int-blocks';

// Strips of eight rows come in pairs, sorted by their numbers of tiles: the two of a pair are worked on side by side, which hides
// latencies, and the loop over tiles runs nearly as often as the time before, which processors predict. The second has all the tiles
// that one of them has more.

/** Byte offset of the outputs of the running pair's strips. */
export let firstAt: usize = 0;
export let secondAt: usize = 0;
/** Addresses of the columns (divided by 4) of the pair's tiles; the second's end where the next pair begins. */
export let firstTiles: usize = 0;
export let secondTiles: usize = 0;
export let end: usize = 0;

/** Reads the head of a pair. */
@inline
export function readPair(index: usize): void {
  firstAt = <usize>load<u16>(index) << 5;
  secondAt = <usize>load<u16>(index, 2) << 5;
  firstTiles = index + 8;
  secondTiles = firstTiles + (<usize>load<u16>(index, 4) << 1);
  end = secondTiles + (<usize>load<u16>(index, 6) << 1);
}

/** Tiles of the pair, and of its first strip. */
@inline
export function pairCount(): usize {
  return (end - firstTiles) >> 1;
}

@inline
export function firstCount(): usize {
  return (secondTiles - firstTiles) >> 1;
}

/** Bytes of a tile of codes: 32 int8, or 32 indices of four bits. */
@inline
export function tileBytes(kind: i32): usize {
  return kind == INT8 ? 32 : 16;
}

/** The 16 levels of the strip whose outputs lie `at` bytes on; a strip of 16 rows has them, 64 bytes of outputs. */
@inline
export function levelsOf(tables: usize, at: usize): v128 {
  return v128.load(tables + ((at >> 6) << 4));
}
