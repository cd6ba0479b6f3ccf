import { finish, oneDigit, twoDigits } from './int-epilogue';
import { columnsBytes, highLevels, INT4, INT8, lowLevels } from './int-blocks';
import { nibbles } from './lanes';

// Without the relaxed dot product, codes are widened to 16 bits and multiplied in pairs: a block of four rows has two
// vectors of sums, rows 0 and 1, rows 2 and 3, each row's even and odd pair side by side.

/** A quad of codes, twice, in 16 bits. */
@inline
export function operand(x: usize): v128 {
  return i16x8.extend_low_i8x16_u(v128.load_splat<i32>(x));
}

@inline
export function accumulate(sum: v128, w: v128, x: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(w, x));
}

/** The four row sums of a block. */
@inline
export function fold(rows01: v128, rows23: v128): v128 {
  return i32x4.add(
    i8x16.shuffle(rows01, rows23, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
    i8x16.shuffle(rows01, rows23, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
  );
}

/** One operand, sixteen outputs. */
@inline
export function one(scales: usize, offsets: usize, start: usize, kind: i32, levels: usize, w: usize, x: usize, quads: i32, meta: usize, dst: usize, plus: usize): void {
  const table = kind == INT4 ? v128.load(levels) : i32x4.splat(0);
  const nibble = nibbles;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let c0 = i32x4.splat(0);
  let c1 = i32x4.splat(0);
  let d0 = i32x4.splat(0);
  let d1 = i32x4.splat(0);
  const end = x + (<usize>quads << 2);
  for (; x < end; x += 4, w += columnsBytes(kind)) {
    const xq = operand(x);
    if (kind == INT8) {
      a0 = accumulate(a0, v128.load_ext<i8>(w), xq);
      a1 = accumulate(a1, v128.load_ext<i8>(w, 8), xq);
      b0 = accumulate(b0, v128.load_ext<i8>(w, 16), xq);
      b1 = accumulate(b1, v128.load_ext<i8>(w, 24), xq);
      // Never taken. V8 moves the loads of a block to its top, and eight of them leave no registers for the sums.
      if (w == 0) break;
      c0 = accumulate(c0, v128.load_ext<i8>(w, 32), xq);
      c1 = accumulate(c1, v128.load_ext<i8>(w, 40), xq);
      d0 = accumulate(d0, v128.load_ext<i8>(w, 48), xq);
      d1 = accumulate(d1, v128.load_ext<i8>(w, 56), xq);
    } else {
      const ab = v128.load(w);
      const a = lowLevels(table, ab, nibble);
      a0 = accumulate(a0, i16x8.extend_low_i8x16_s(a), xq);
      a1 = accumulate(a1, i16x8.extend_high_i8x16_s(a), xq);
      const b = highLevels(table, ab, nibble);
      b0 = accumulate(b0, i16x8.extend_low_i8x16_s(b), xq);
      b1 = accumulate(b1, i16x8.extend_high_i8x16_s(b), xq);
      if (w == 0) break;
      const cd = v128.load(w, 16);
      const c = lowLevels(table, cd, nibble);
      c0 = accumulate(c0, i16x8.extend_low_i8x16_s(c), xq);
      c1 = accumulate(c1, i16x8.extend_high_i8x16_s(c), xq);
      const d = highLevels(table, cd, nibble);
      d0 = accumulate(d0, i16x8.extend_low_i8x16_s(d), xq);
      d1 = accumulate(d1, i16x8.extend_high_i8x16_s(d), xq);
    }
  }
  finish(scales, offsets, oneDigit(start, fold(a0, a1), 0), 0, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, fold(b0, b1), 16), 16, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, fold(c0, c1), 32), 32, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, fold(d0, d1), 48), 48, meta, dst, plus);
}

/** Two operands, eight outputs (half 0 or 1 of the strip): two digits of a row, or two rows. */
@inline
export function two(
  scales: usize,
  offsets: usize,
  start: usize,
  kind: i32,
  levels: usize,
  half: usize,
  digits: i32,
  w: usize,
  x: usize,
  step: usize,
  quads: i32,
  meta: usize,
  metaStep: usize,
  dst: usize,
  dstStep: usize,
  plus: usize,
  plusStep: usize,
): void {
  const table = kind == INT4 ? v128.load(levels) : i32x4.splat(0);
  const nibble = nibbles;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let c0 = i32x4.splat(0);
  let c1 = i32x4.splat(0);
  let d0 = i32x4.splat(0);
  let d1 = i32x4.splat(0);
  const end = x + (<usize>quads << 2);
  w += (columnsBytes(kind) >> 1) * half;
  for (; x < end; x += 4, w += columnsBytes(kind)) {
    const xq = operand(x);
    const yq = operand(x + step);
    let w0: v128;
    let w1: v128;
    let w2: v128;
    let w3: v128;
    if (kind == INT8) {
      w0 = v128.load_ext<i8>(w);
      w1 = v128.load_ext<i8>(w, 8);
      w2 = v128.load_ext<i8>(w, 16);
      w3 = v128.load_ext<i8>(w, 24);
    } else {
      const indices = v128.load(w);
      const low = lowLevels(table, indices, nibble);
      w0 = i16x8.extend_low_i8x16_s(low);
      w1 = i16x8.extend_high_i8x16_s(low);
      const high = highLevels(table, indices, nibble);
      w2 = i16x8.extend_low_i8x16_s(high);
      w3 = i16x8.extend_high_i8x16_s(high);
    }
    a0 = accumulate(a0, w0, xq);
    c0 = accumulate(c0, w0, yq);
    a1 = accumulate(a1, w1, xq);
    c1 = accumulate(c1, w1, yq);
    b0 = accumulate(b0, w2, xq);
    d0 = accumulate(d0, w2, yq);
    b1 = accumulate(b1, w3, xq);
    d1 = accumulate(d1, w3, yq);
  }
  const at = 32 * half;
  if (digits == 2) {
    finish(scales, offsets, twoDigits(start, fold(a0, a1), fold(c0, c1), at), at, meta, dst, plus);
    finish(scales, offsets, twoDigits(start, fold(b0, b1), fold(d0, d1), at + 16), at + 16, meta, dst, plus);
    return;
  }
  finish(scales, offsets, oneDigit(start, fold(a0, a1), at), at, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, fold(b0, b1), at + 16), at + 16, meta, dst, plus);
  meta += metaStep;
  dst += dstStep;
  plus += plusStep;
  finish(scales, offsets, oneDigit(start, fold(c0, c1), at), at, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, fold(d0, d1), at + 16), at + 16, meta, dst, plus);
}
