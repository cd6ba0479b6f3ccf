import { SparseI4, SparseI8 } from './generated/opcodes';
import { INT4, INT8 } from './int-blocks';
import { inPairs } from './int-relaxed';
import { address, base, int, rowCount, stride } from './operands';
import * as relaxed from './sparse-relaxed';
import * as simd128 from './sparse-simd128';
import { firstAt, firstCount, firstTiles, pairCount, pairEnd, secondAt, secondTiles, tileBytes } from './sparse-tiles';

// linearI8 and linearI4 over a list of tiles. sparseI4 begins with the operands of sparseI8; there are as many pairs of 8 rows of W as
// strips of 16. One row of x has a function of its own: with few tiles a strip takes so little that registers count.

/** What is added to row r of the outputs: the bias or other outputs, 0 where nothing is. */
@inline
function addend(pc: usize, r: i32): usize {
  const bias = address(pc + SparseI8.bias);
  if (bias) return bias;
  const add = base(pc + SparseI8.add);
  return add ? add + <usize>r * stride(pc + SparseI8.add) : 0;
}

/** Row r of x, which has one digit. */
@inline
function single(pairs: bool, kind: i32, pc: usize, r: i32): void {
  const x = base(pc + SparseI8.codes) + <usize>r * stride(pc + SparseI8.codes);
  const meta = base(pc + SparseI8.meta) + <usize>r * stride(pc + SparseI8.meta);
  const dst = base(pc + SparseI8.dst) + <usize>r * stride(pc + SparseI8.dst);
  const plus = addend(pc, r);
  const tables = kind == INT4 ? address(pc + SparseI4.tables) : 0;
  const scales = address(pc + SparseI8.scales);
  const offsets = address(pc + SparseI8.offsets);
  const start = address(pc + SparseI8.start);
  let w = address(pc + SparseI8.weights);
  let pair = address(pc + SparseI8.index);
  for (let count = int(pc + SparseI8.strips); count > 0; count--) {
    if (ASC_FEATURE_RELAXED_SIMD) relaxed.one(scales, offsets, start, pairs, kind, tables, pair, w, x, meta, dst, plus);
    else simd128.one(scales, offsets, start, kind, tables, pair, w, x, meta, dst, plus);
    w += pairCount(pair) * tileBytes(kind);
    pair = pairEnd(pair);
  }
}

/** The first `rows` rows of x, two by two, or, with two digits, one by one. They run inside, so that tiles stay in the first cache. */
@inline
function several(pairs: bool, kind: i32, pc: usize, rows: i32): void {
  const digits = int(pc + SparseI8.digits);
  const done = digits == 2 ? 1 : 2;
  const codes = base(pc + SparseI8.codes);
  const codesStride = stride(pc + SparseI8.codes);
  const step = digits == 2 ? <usize>int(pc + SparseI8.plane) : codesStride;
  const meta = base(pc + SparseI8.meta);
  const metaStride = stride(pc + SparseI8.meta);
  const dst = base(pc + SparseI8.dst);
  const dstStride = stride(pc + SparseI8.dst);
  const plus = addend(pc, 0);
  const plusStride = addend(pc, 1) - plus;
  const tables = kind == INT4 ? address(pc + SparseI4.tables) : 0;
  const scales = address(pc + SparseI8.scales);
  const offsets = address(pc + SparseI8.offsets);
  const start = address(pc + SparseI8.start);
  let w = address(pc + SparseI8.weights);
  let pair = address(pc + SparseI8.index);
  for (let count = int(pc + SparseI8.strips); count > 0; count--) {
    const second = w + firstCount(pair) * tileBytes(kind);
    let x = codes;
    let m = meta;
    let y = dst;
    let a = plus;
    for (let left = rows; left > 0; left -= done) {
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
      x += done * codesStride;
      m += done * metaStride;
      y += done * dstStride;
      a += done * plusStride;
    }
    w += pairCount(pair) * tileBytes(kind);
    pair = pairEnd(pair);
  }
}

/** All rows: two by two, or, with two digits, one by one; the one that may be left is the last. */
@inline
function product(pairs: bool, kind: i32, pc: usize): void {
  const rows = rowCount(pc + SparseI8.rows);
  const together = int(pc + SparseI8.digits) == 2 ? rows : rows & ~1;
  if (together > 0) several(pairs, kind, pc, together);
  if (together < rows) single(pairs, kind, pc, together);
}

// Functions of their own, or the optimizer makes one of both ways to take a product, and that takes it both ways.

function pairs8(pc: usize): void {
  product(true, INT8, pc);
}

function quads8(pc: usize): void {
  product(false, INT8, pc);
}

function pairs4(pc: usize): void {
  product(true, INT4, pc);
}

function quads4(pc: usize): void {
  product(false, INT4, pc);
}

export function sparseI8(pc: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && inPairs) pairs8(pc);
  else quads8(pc);
}

export function sparseI4(pc: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && inPairs) pairs4(pc);
  else quads4(pc);
}
