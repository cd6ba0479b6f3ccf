import { finish, oneDigit, twoDigits } from './int-epilogue';
import { columnsBytes, highLevels, INT4, INT8, lowLevels } from './int-blocks';
import { lanes8, nibbles, ones } from './lanes';

// One relaxed dot product takes a whole block: sixteen products into the sums of four rows. Processors with an instruction
// for it (ARM's sdot, x86's AVX-VNNI) do that at once. For other x86 V8 emits five, two of which build a constant anew: there
// the product in pairs of pairs, with the constant kept, takes three and is 1.27 times as fast.

/** Whether four products are summed by two instructions of x86, of which the first saturates at 16 bits. */
export const inPairs: bool = ASC_FEATURE_RELAXED_SIMD ? saturates() : false;

function saturates(): bool {
  const sums = i32x4.relaxed_dot_i8x16_i7x16_add_s(lanes8(127), lanes8(-1), i32x4.splat(0));
  return i32x4.extract_lane(sums, 0) == 2 * 32767;
}

@inline
export function operand(x: usize): v128 {
  return v128.load_splat<i32>(x);
}

@inline
export function accumulate(pairs: bool, sum: v128, w: v128, x: v128, unit: v128): v128 {
  if (pairs) return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(w, x), unit));
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, sum);
}

/** Four blocks on one quad of codes. */
@inline
export function one(scales: usize, offsets: usize, start: usize, pairs: bool, kind: i32, levels: usize, w: usize, x: usize, quads: i32, meta: usize, dst: usize, plus: usize): void {
  const table = kind == INT4 ? v128.load(levels) : i32x4.splat(0);
  const nibble = nibbles;
  const unit = ones;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  // Integer sums may be taken in any order: two sets hide the latency of the dot product.
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  const end = x + (<usize>quads << 2);
  if (quads & 1) {
    const xq = operand(x);
    if (kind == INT8) {
      b0 = accumulate(pairs, b0, v128.load(w), xq, unit);
      b1 = accumulate(pairs, b1, v128.load(w, 16), xq, unit);
      b2 = accumulate(pairs, b2, v128.load(w, 32), xq, unit);
      b3 = accumulate(pairs, b3, v128.load(w, 48), xq, unit);
    } else {
      const i01 = v128.load(w);
      b0 = accumulate(pairs, b0, lowLevels(table, i01, nibble), xq, unit);
      b1 = accumulate(pairs, b1, highLevels(table, i01, nibble), xq, unit);
      const i23 = v128.load(w, 16);
      b2 = accumulate(pairs, b2, lowLevels(table, i23, nibble), xq, unit);
      b3 = accumulate(pairs, b3, highLevels(table, i23, nibble), xq, unit);
    }
    x += 4;
    w += columnsBytes(kind);
  }
  for (; x < end; x += 8, w += 2 * columnsBytes(kind)) {
    const xq = operand(x);
    const yq = operand(x + 4);
    if (kind == INT8) {
      a0 = accumulate(pairs, a0, v128.load(w), xq, unit);
      a1 = accumulate(pairs, a1, v128.load(w, 16), xq, unit);
      a2 = accumulate(pairs, a2, v128.load(w, 32), xq, unit);
      a3 = accumulate(pairs, a3, v128.load(w, 48), xq, unit);
      b0 = accumulate(pairs, b0, v128.load(w, 64), yq, unit);
      b1 = accumulate(pairs, b1, v128.load(w, 80), yq, unit);
      b2 = accumulate(pairs, b2, v128.load(w, 96), yq, unit);
      b3 = accumulate(pairs, b3, v128.load(w, 112), yq, unit);
    } else {
      let indices = v128.load(w);
      a0 = accumulate(pairs, a0, lowLevels(table, indices, nibble), xq, unit);
      a1 = accumulate(pairs, a1, highLevels(table, indices, nibble), xq, unit);
      indices = v128.load(w, 16);
      a2 = accumulate(pairs, a2, lowLevels(table, indices, nibble), xq, unit);
      a3 = accumulate(pairs, a3, highLevels(table, indices, nibble), xq, unit);
      indices = v128.load(w, 32);
      b0 = accumulate(pairs, b0, lowLevels(table, indices, nibble), yq, unit);
      b1 = accumulate(pairs, b1, highLevels(table, indices, nibble), yq, unit);
      indices = v128.load(w, 48);
      b2 = accumulate(pairs, b2, lowLevels(table, indices, nibble), yq, unit);
      b3 = accumulate(pairs, b3, highLevels(table, indices, nibble), yq, unit);
    }
  }
  finish(scales, offsets, oneDigit(start, i32x4.add(a0, b0), 0), 0, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, i32x4.add(a1, b1), 16), 16, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, i32x4.add(a2, b2), 32), 32, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, i32x4.add(a3, b3), 48), 48, meta, dst, plus);
}

/** Two operands, sixteen outputs: two digits of a row, or two rows. */
@inline
export function two(
  scales: usize,
  offsets: usize,
  start: usize,
  pairs: bool,
  kind: i32,
  levels: usize,
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
  const unit = ones;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  const end = x + (<usize>quads << 2);
  for (; x < end; x += 4, w += columnsBytes(kind)) {
    const xq = operand(x);
    const yq = operand(x + step);
    let w0: v128;
    let w1: v128;
    let w2: v128;
    let w3: v128;
    if (kind == INT8) {
      w0 = v128.load(w);
      w1 = v128.load(w, 16);
      w2 = v128.load(w, 32);
      w3 = v128.load(w, 48);
    } else {
      const i01 = v128.load(w);
      w0 = lowLevels(table, i01, nibble);
      w1 = highLevels(table, i01, nibble);
      const i23 = v128.load(w, 16);
      w2 = lowLevels(table, i23, nibble);
      w3 = highLevels(table, i23, nibble);
    }
    a0 = accumulate(pairs, a0, w0, xq, unit);
    b0 = accumulate(pairs, b0, w0, yq, unit);
    a1 = accumulate(pairs, a1, w1, xq, unit);
    b1 = accumulate(pairs, b1, w1, yq, unit);
    a2 = accumulate(pairs, a2, w2, xq, unit);
    b2 = accumulate(pairs, b2, w2, yq, unit);
    a3 = accumulate(pairs, a3, w3, xq, unit);
    b3 = accumulate(pairs, b3, w3, yq, unit);
  }
  if (digits == 2) {
    finish(scales, offsets, twoDigits(start, a0, b0, 0), 0, meta, dst, plus);
    finish(scales, offsets, twoDigits(start, a1, b1, 16), 16, meta, dst, plus);
    finish(scales, offsets, twoDigits(start, a2, b2, 32), 32, meta, dst, plus);
    finish(scales, offsets, twoDigits(start, a3, b3, 48), 48, meta, dst, plus);
    return;
  }
  finish(scales, offsets, oneDigit(start, a0, 0), 0, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, a1, 16), 16, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, a2, 32), 32, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, a3, 48), 48, meta, dst, plus);
  meta += metaStep;
  dst += dstStep;
  plus += plusStep;
  finish(scales, offsets, oneDigit(start, b0, 0), 0, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, b1, 16), 16, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, b2, 32), 32, meta, dst, plus);
  finish(scales, offsets, oneDigit(start, b3, 48), 48, meta, dst, plus);
}
