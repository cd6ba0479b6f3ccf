// Where the tiles of a strip of 16 rows stand: first those of its upper eight rows, then those of its lower eight.
import { INT8 } from './int-blocks';

/** Address of the columns (divided by 4) of the running strip's upper and lower tiles, and where each list ends. */
export let upper: usize = 0;
export let lower: usize = 0;
export let end: usize = 0;

/** Tiles of the strip. */
@inline
export function tileCount(): usize {
  return (end - upper) >> 1;
}

/** Reads the head of a strip; the next strip begins at `end`. */
@inline
export function readStrip(index: usize): void {
  upper = index + 4;
  lower = upper + (<usize>load<u16>(index) << 1);
  end = lower + (<usize>load<u16>(index, 2) << 1);
}

/** Where the lists of the upper and lower tiles stop being of the same length: an address in the upper one. */
@inline
export function sharedEnd(): usize {
  return upper + min(lower - upper, end - lower);
}

/** Bytes of a tile of codes: 32 int8, or 32 indices of four bits. */
@inline
export function tileBytes(kind: i32): usize {
  return kind == INT8 ? 32 : 16;
}
