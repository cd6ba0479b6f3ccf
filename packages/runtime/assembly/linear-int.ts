import { LinearI4, LinearI8 } from './generated/opcodes';
import { columnsBytes, INT4, INT8 } from './int-blocks';
import * as relaxed from './int-relaxed';
import * as simd128 from './int-simd128';
import { address, base, int, rowCount, stride } from './operands';

// y = W·x on codes of 7 bits: integer sums, exact in any order, then a float32 epilogue. Two digits of one row are two
// operands of the same weights, as two rows are.

/** All strips (`pairs`: how the relaxed build takes its products); the rows of x run inside, so that a strip of W stays in the first cache. */
@inline
function linear(pairs: bool, kind: i32, pc: usize): void {
  // linearI4 begins with the operands of linearI8.
  const rows = rowCount(pc + LinearI8.rows);
  const quads = (int(pc + LinearI8.k) + 3) >> 2;
  const digits = int(pc + LinearI8.digits);
  const plane = <usize>int(pc + LinearI8.plane);
  const codes = base(pc + LinearI8.codes);
  const codesStride = stride(pc + LinearI8.codes);
  const meta = base(pc + LinearI8.meta);
  const metaStride = stride(pc + LinearI8.meta);
  const dstStride = stride(pc + LinearI8.dst);
  let dst = base(pc + LinearI8.dst);
  const bias = address(pc + LinearI8.bias);
  let plus = bias ? bias : base(pc + LinearI8.add);
  const plusStride = bias || !plus ? 0 : stride(pc + LinearI8.add);
  let w = address(pc + LinearI8.weights);
  let levels = kind == INT4 ? address(pc + LinearI4.tables) : 0;
  let scales = address(pc + LinearI8.scales);
  let offsets = address(pc + LinearI8.offsets);
  let start = address(pc + LinearI8.start);
  for (let strips = int(pc + LinearI8.strips); strips > 0; strips--) {
    let x = codes;
    let m = meta;
    let y = dst;
    let a = plus;
    let left = rows;
    while (left > 0) {
      let done = 1;
      if (digits == 2 || left > 1) {
        const step = digits == 2 ? plane : codesStride;
        if (ASC_FEATURE_RELAXED_SIMD) {
          relaxed.two(scales, offsets, start, pairs, kind, levels, digits, w, x, step, quads, m, metaStride, y, dstStride, a, plusStride);
        } else {
          simd128.two(scales, offsets, start, kind, levels, 0, digits, w, x, step, quads, m, metaStride, y, dstStride, a, plusStride);
          simd128.two(scales, offsets, start, kind, levels, 1, digits, w, x, step, quads, m, metaStride, y, dstStride, a, plusStride);
        }
        done = digits == 2 ? 1 : 2;
      } else if (ASC_FEATURE_RELAXED_SIMD) {
        relaxed.one(scales, offsets, start, pairs, kind, levels, w, x, quads, m, y, a);
      } else {
        simd128.one(scales, offsets, start, kind, levels, w, x, quads, m, y, a);
      }
      x += done * codesStride;
      m += done * metaStride;
      y += done * dstStride;
      a += done * plusStride;
      left -= done;
    }
    w += <usize>quads * columnsBytes(kind);
    dst += 64;
    if (plus) plus += 64;
    levels += 16;
    scales += 64;
    if (offsets) offsets += 64;
    if (start) start += 64;
  }
}

export function linearI8(pc: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && relaxed.inPairs) linear(true, INT8, pc);
  else linear(false, INT8, pc);
}

export function linearI4(pc: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && relaxed.inPairs) linear(true, INT4, pc);
  else linear(false, INT4, pc);
}
