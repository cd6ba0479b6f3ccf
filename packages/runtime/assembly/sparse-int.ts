import { SparseI4, SparseI8 } from './generated/opcodes';
import { INT4, INT8 } from './int-blocks';
import { beginStrips } from './int-epilogue';
import { inPairs } from './int-relaxed';
import { address, base, int, rowCount, stride } from './operands';
import * as relaxed from './sparse-relaxed';
import * as simd128 from './sparse-simd128';
import { end, firstAt, firstCount, firstTiles, pairCount, readPair, secondAt, secondTiles, tileBytes } from './sparse-tiles';

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
  const add = base(pc + SparseI8.add);
  const addStride = add ? stride(pc + SparseI8.add) : 0;
  let w = address(pc + SparseI8.weights);
  const tables = kind == INT4 ? address(pc + SparseI4.tables) : 0;
  let index = address(pc + SparseI8.index);
  beginStrips(
    address(pc + SparseI8.scales),
    address(pc + SparseI8.offsets),
    address(pc + SparseI8.bias),
    address(pc + SparseI8.start),
  );
  // As many pairs of 8 rows as strips of 16.
  for (let pair = int(pc + SparseI8.strips); pair > 0; pair--) {
    readPair(index);
    const second = w + firstCount() * tileBytes(kind);
    let x = codes;
    let m = meta;
    let y = dst;
    let a = add;
    let left = rows;
    while (left > 0) {
      let done = 1;
      if (digits == 2 || left > 1) {
        const step = digits == 2 ? plane : codesStride;
        let v = w;
        let at = firstAt;
        let i = firstTiles;
        let stop = secondTiles;
        for (let strip = 0; strip < 2; strip++) {
          if (ASC_FEATURE_RELAXED_SIMD) {
            relaxed.two(pairs, kind, tables, at, digits, v, i, stop, x, step, m, metaStride, y, dstStride, a, addStride);
          } else {
            simd128.two(kind, tables, at, digits, v, i, stop, x, step, m, metaStride, y, dstStride, a, addStride);
          }
          v = second;
          at = secondAt;
          i = stop;
          stop = end;
        }
        done = digits == 2 ? 1 : 2;
      } else if (ASC_FEATURE_RELAXED_SIMD) {
        relaxed.one(pairs, kind, tables, w, x, m, y, a);
      } else {
        simd128.one(kind, tables, w, x, m, y, a);
      }
      x += done * codesStride;
      m += done * metaStride;
      y += done * dstStride;
      a += done * addStride;
      left -= done;
    }
    w += pairCount() * tileBytes(kind);
    index = end;
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
