import { finishStrip, oneDigit, twoDigits } from './int-epilogue';
import { highLevels, INT4, INT8, lowLevels } from './int-blocks';
import { accumulate } from './int-relaxed';
import { nibbles, ones } from './lanes';
import { firstAt, firstCount, firstTiles, levelsOf, pairEnd, secondAt, secondTiles, tileBytes } from './sparse-tiles';

/** The quad of codes that a tile works on. */
@inline
function operand(x: usize, at: usize): v128 {
  return v128.load_splat<i32>(x + (<usize>load<u16>(at) << 2));
}

@inline
function first(kind: i32, table: v128, nibble: v128, w: usize): v128 {
  return kind == INT8 ? v128.load(w) : lowLevels(table, v128.load(w), nibble);
}

@inline
function second(kind: i32, table: v128, nibble: v128, w: usize): v128 {
  return kind == INT8 ? v128.load(w, 16) : highLevels(table, v128.load(w), nibble);
}

/** One operand, the sixteen outputs of a pair. */
@inline
export function one(scales: usize, offsets: usize, start: usize, pairs: bool, kind: i32, tables: usize, pair: usize, w: usize, x: usize, meta: usize, dst: usize, plus: usize): void {
  const table = kind == INT4 ? levelsOf(tables, firstAt(pair)) : i32x4.splat(0);
  const table2 = kind == INT4 ? levelsOf(tables, secondAt(pair)) : i32x4.splat(0);
  const nibble = nibbles;
  const unit = ones;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let i = firstTiles(pair);
  let j = secondTiles(pair);
  let v = w + firstCount(pair) * tileBytes(kind);
  const shared = j;
  for (; i < shared; i += 2, j += 2, w += tileBytes(kind), v += tileBytes(kind)) {
    const xi = operand(x, i);
    a0 = accumulate(pairs, a0, first(kind, table, nibble, w), xi, unit);
    a1 = accumulate(pairs, a1, second(kind, table, nibble, w), xi, unit);
    const xj = operand(x, j);
    b0 = accumulate(pairs, b0, first(kind, table2, nibble, v), xj, unit);
    b1 = accumulate(pairs, b1, second(kind, table2, nibble, v), xj, unit);
  }
  const stop = pairEnd(pair);
  for (; j < stop; j += 2, v += tileBytes(kind)) {
    const xj = operand(x, j);
    b0 = accumulate(pairs, b0, first(kind, table2, nibble, v), xj, unit);
    b1 = accumulate(pairs, b1, second(kind, table2, nibble, v), xj, unit);
  }
  let at = firstAt(pair);
  finishStrip(scales, offsets, oneDigit(start, a0, at), oneDigit(start, a1, at + 16), at, meta, dst, plus);
  at = secondAt(pair);
  finishStrip(scales, offsets, oneDigit(start, b0, at), oneDigit(start, b1, at + 16), at, meta, dst, plus);
}

/** Two operands (two digits of a row, or two rows), the eight outputs of a strip: its tiles from `i` up to `stop`. */
@inline
export function two(
  scales: usize,
  offsets: usize,
  start: usize,
  pairs: bool,
  kind: i32,
  tables: usize,
  at: usize,
  digits: i32,
  w: usize,
  i: usize,
  stop: usize,
  x: usize,
  step: usize,
  meta: usize,
  metaStep: usize,
  dst: usize,
  dstStep: usize,
  plus: usize,
  plusStep: usize,
): void {
  const table = kind == INT4 ? levelsOf(tables, at) : i32x4.splat(0);
  const nibble = nibbles;
  const unit = ones;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  const y = x + step;
  for (; i < stop; i += 2, w += tileBytes(kind)) {
    const xi = operand(x, i);
    const yi = operand(y, i);
    const w0 = first(kind, table, nibble, w);
    const w1 = second(kind, table, nibble, w);
    a0 = accumulate(pairs, a0, w0, xi, unit);
    b0 = accumulate(pairs, b0, w0, yi, unit);
    a1 = accumulate(pairs, a1, w1, xi, unit);
    b1 = accumulate(pairs, b1, w1, yi, unit);
  }
  if (digits == 2) {
    finishStrip(scales, offsets, twoDigits(start, a0, b0, at), twoDigits(start, a1, b1, at + 16), at, meta, dst, plus);
    return;
  }
  finishStrip(scales, offsets, oneDigit(start, a0, at), oneDigit(start, a1, at + 16), at, meta, dst, plus);
  meta += metaStep;
  dst += dstStep;
  plus += plusStep;
  finishStrip(scales, offsets, oneDigit(start, b0, at), oneDigit(start, b1, at + 16), at, meta, dst, plus);
}
