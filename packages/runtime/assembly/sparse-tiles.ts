import { INT8 } from './int-blocks';

// Strips of eight rows come in pairs, sorted by their numbers of tiles: the two of a pair are worked on side by side, which hides
// latencies, and the loop over tiles runs nearly as often as the time before, which processors predict. The second has all the tiles
// that one of them has more.

/** Byte offset of the outputs of the strips of a pair, whose entry in the index is at `pair`. */
@inline
export function firstAt(pair: usize): usize {
  return <usize>load<u16>(pair) << 5;
}

@inline
export function secondAt(pair: usize): usize {
  return <usize>load<u16>(pair, 2) << 5;
}

/** Tiles of the first strip. */
@inline
export function firstCount(pair: usize): usize {
  return <usize>load<u16>(pair, 4);
}

/** Tiles of both. */
@inline
export function pairCount(pair: usize): usize {
  return firstCount(pair) + <usize>load<u16>(pair, 6);
}

/** Addresses of the columns (divided by 4) of their tiles; the second's end where the next pair begins. */
@inline
export function firstTiles(pair: usize): usize {
  return pair + 8;
}

@inline
export function secondTiles(pair: usize): usize {
  return pair + 8 + (firstCount(pair) << 1);
}

@inline
export function pairEnd(pair: usize): usize {
  return pair + 8 + (pairCount(pair) << 1);
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
