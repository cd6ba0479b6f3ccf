import { SparseI4, SparseI8 } from './generated/opcodes';
import { INT4, INT8 } from './int-blocks';
import { inPairs } from './int-relaxed';
import { address, base, int, rowCount, stride } from './operands';
import * as relaxed from './sparse-relaxed';
import * as simd128 from './sparse-simd128';
import { firstAt, firstCount, firstTiles, pairCount, pairEnd, secondAt, secondTiles, tileBytes } from './sparse-tiles';

/** linearI8 and linearI4 over a list of tiles. */
@inline
function linear(pairs: bool, kind: i32, pc: usize): void {
  // sparseI4 begins with the operands of sparseI8.
  const rows = rowCount(pc + SparseI8.rows);
  const digits = int(pc + SparseI8.digits);
  const plane = <usize>int(pc + SparseI8.plane);
  const codes = base(pc + SparseI8.codes);
  const codesStride = stride(pc + SparseI8.codes);
  const meta = base(pc + SparseI8.meta);
  const metaStride = stride(pc + SparseI8.meta);
  const dstStride = stride(pc + SparseI8.dst);
  const dst = base(pc + SparseI8.dst);
  const bias = address(pc + SparseI8.bias);
  const plus = bias ? bias : base(pc + SparseI8.add);
  const plusStride = bias || !plus ? 0 : stride(pc + SparseI8.add);
  let w = address(pc + SparseI8.weights);
  const tables = kind == INT4 ? address(pc + SparseI4.tables) : 0;
  let pair = address(pc + SparseI8.index);
  const scales = address(pc + SparseI8.scales);
  const offsets = address(pc + SparseI8.offsets);
  const start = address(pc + SparseI8.start);
  // As many pairs of 8 rows as strips of 16.
  for (let count = int(pc + SparseI8.strips); count > 0; count--) {
    const second = w + firstCount(pair) * tileBytes(kind);
    let x = codes;
    let m = meta;
    let y = dst;
    let a = plus;
    let left = rows;
    while (left > 0) {
      let done = 1;
      if (digits == 2 || left > 1) {
        const step = digits == 2 ? plane : codesStride;
        let v = w;
        let at = firstAt(pair);
        let i = firstTiles(pair);
        let stop = secondTiles(pair);
        for (let strip = 0; strip < 2; strip++) {
          if (ASC_FEATURE_RELAXED_SIMD) {
            relaxed.two(scales, offsets, start, pairs, kind, tables, at, digits, v, i, stop, x, step, m, metaStride, y, dstStride, a, plusStride);
          } else {
            simd128.two(scales, offsets, start, kind, tables, at, digits, v, i, stop, x, step, m, metaStride, y, dstStride, a, plusStride);
          }
          v = second;
          at = secondAt(pair);
          i = stop;
          stop = pairEnd(pair);
        }
        done = digits == 2 ? 1 : 2;
      } else if (ASC_FEATURE_RELAXED_SIMD) {
        relaxed.one(scales, offsets, start, pairs, kind, tables, pair, w, x, m, y, a);
      } else {
        simd128.one(scales, offsets, start, kind, tables, pair, w, x, m, y, a);
      }
      x += done * codesStride;
      m += done * metaStride;
      y += done * dstStride;
      a += done * plusStride;
      left -= done;
    }
    w += pairCount(pair) * tileBytes(kind);
    pair = pairEnd(pair);
  }
}

export function sparseI8(pc: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && inPairs) linear(true, INT8, pc);
  else linear(false, INT8, pc);
}

export function sparseI4(pc: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && inPairs) linear(true, INT4, pc);
  else linear(false, INT4, pc);
}
