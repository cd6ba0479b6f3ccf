import { finishStrip, oneDigit, twoDigits } from './int-epilogue';
import { highLevels, INT4, INT8, lowLevels } from './int-blocks';
import { accumulate, fold } from './int-simd128';
import { nibbles } from './lanes';
import { firstAt, firstCount, firstTiles, levelsOf, pairEnd, secondAt, secondTiles, tileBytes } from './sparse-tiles';

/** The quad of codes that a tile works on, twice, in 16 bits. */
@inline
function operand(x: usize, at: usize): v128 {
  return i16x8.extend_low_i8x16_u(v128.load_splat<i32>(x + (<usize>load<u16>(at) << 2)));
}

// A tile in four vectors, two rows in each: a function returns one vector only. What they share is computed once.

@inline
function rows01(kind: i32, table: v128, nibble: v128, w: usize): v128 {
  return kind == INT8 ? v128.load_ext<i8>(w) : i16x8.extend_low_i8x16_s(lowLevels(table, v128.load(w), nibble));
}

@inline
function rows23(kind: i32, table: v128, nibble: v128, w: usize): v128 {
  return kind == INT8 ? v128.load_ext<i8>(w, 8) : i16x8.extend_high_i8x16_s(lowLevels(table, v128.load(w), nibble));
}

@inline
function rows45(kind: i32, table: v128, nibble: v128, w: usize): v128 {
  return kind == INT8 ? v128.load_ext<i8>(w, 16) : i16x8.extend_low_i8x16_s(highLevels(table, v128.load(w), nibble));
}

@inline
function rows67(kind: i32, table: v128, nibble: v128, w: usize): v128 {
  return kind == INT8 ? v128.load_ext<i8>(w, 24) : i16x8.extend_high_i8x16_s(highLevels(table, v128.load(w), nibble));
}

/** One operand, the sixteen outputs of a pair. */
@inline
export function one(scales: usize, offsets: usize, start: usize, kind: i32, tables: usize, pair: usize, w: usize, x: usize, meta: usize, dst: usize, plus: usize): void {
  const table = kind == INT4 ? levelsOf(tables, firstAt(pair)) : i32x4.splat(0);
  const table2 = kind == INT4 ? levelsOf(tables, secondAt(pair)) : i32x4.splat(0);
  const nibble = nibbles;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  let i = firstTiles(pair);
  let j = secondTiles(pair);
  let v = w + firstCount(pair) * tileBytes(kind);
  const shared = j;
  for (; i < shared; i += 2, j += 2, w += tileBytes(kind), v += tileBytes(kind)) {
    const xi = operand(x, i);
    a0 = accumulate(a0, rows01(kind, table, nibble, w), xi);
    a1 = accumulate(a1, rows23(kind, table, nibble, w), xi);
    a2 = accumulate(a2, rows45(kind, table, nibble, w), xi);
    a3 = accumulate(a3, rows67(kind, table, nibble, w), xi);
    // Never taken. V8 moves the loads of a block to its top, and eight of them leave no registers for the sums.
    if (w == 0) break;
    const xj = operand(x, j);
    b0 = accumulate(b0, rows01(kind, table2, nibble, v), xj);
    b1 = accumulate(b1, rows23(kind, table2, nibble, v), xj);
    b2 = accumulate(b2, rows45(kind, table2, nibble, v), xj);
    b3 = accumulate(b3, rows67(kind, table2, nibble, v), xj);
  }
  const stop = pairEnd(pair);
  for (; j < stop; j += 2, v += tileBytes(kind)) {
    const xj = operand(x, j);
    b0 = accumulate(b0, rows01(kind, table2, nibble, v), xj);
    b1 = accumulate(b1, rows23(kind, table2, nibble, v), xj);
    b2 = accumulate(b2, rows45(kind, table2, nibble, v), xj);
    b3 = accumulate(b3, rows67(kind, table2, nibble, v), xj);
  }
  let at = firstAt(pair);
  finishStrip(scales, offsets, oneDigit(start, fold(a0, a1), at), oneDigit(start, fold(a2, a3), at + 16), at, meta, dst, plus);
  at = secondAt(pair);
  finishStrip(scales, offsets, oneDigit(start, fold(b0, b1), at), oneDigit(start, fold(b2, b3), at + 16), at, meta, dst, plus);
}

/** Two operands (two digits of a row, or two rows), the eight outputs of a strip: its tiles from `i` up to `stop`. */
@inline
export function two(
  scales: usize,
  offsets: usize,
  start: usize,
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
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  const y = x + step;
  for (; i < stop; i += 2, w += tileBytes(kind)) {
    const xi = operand(x, i);
    const yi = operand(y, i);
    const w0 = rows01(kind, table, nibble, w);
    a0 = accumulate(a0, w0, xi);
    b0 = accumulate(b0, w0, yi);
    const w1 = rows23(kind, table, nibble, w);
    a1 = accumulate(a1, w1, xi);
    b1 = accumulate(b1, w1, yi);
    const w2 = rows45(kind, table, nibble, w);
    a2 = accumulate(a2, w2, xi);
    b2 = accumulate(b2, w2, yi);
    const w3 = rows67(kind, table, nibble, w);
    a3 = accumulate(a3, w3, xi);
    b3 = accumulate(b3, w3, yi);
  }
  if (digits == 2) {
    finishStrip(scales, offsets, twoDigits(start, fold(a0, a1), fold(b0, b1), at), twoDigits(start, fold(a2, a3), fold(b2, b3), at + 16), at, meta, dst, plus);
    return;
  }
  finishStrip(scales, offsets, oneDigit(start, fold(a0, a1), at), oneDigit(start, fold(a2, a3), at + 16), at, meta, dst, plus);
  meta += metaStep;
  dst += dstStep;
  plus += plusStep;
  finishStrip(scales, offsets, oneDigit(start, fold(b0, b1), at), oneDigit(start, fold(b2, b3), at + 16), at, meta, dst, plus);
}
