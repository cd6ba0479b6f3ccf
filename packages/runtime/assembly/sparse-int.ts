import { SparseI4, SparseI8 } from './generated/opcodes';
import { INT4, INT8 } from './int-blocks';
import { beginStrips, nextStrip } from './int-epilogue';
import { inPairs } from './int-relaxed';
import { address, base, int, rowCount, stride } from './operands';
import * as relaxed from './sparse-relaxed';
import * as simd128 from './sparse-simd128';
import { end, lower, readStrip, tileBytes, tileCount, upper } from './sparse-tiles';

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
  let dst = base(pc + SparseI8.dst);
  let add = base(pc + SparseI8.add);
  const addStride = add ? stride(pc + SparseI8.add) : 0;
  let w = address(pc + SparseI8.weights);
  let levels = kind == INT4 ? address(pc + SparseI4.tables) : 0;
  let index = address(pc + SparseI8.index);
  beginStrips(
    address(pc + SparseI8.scales),
    address(pc + SparseI8.offsets),
    address(pc + SparseI8.bias),
    address(pc + SparseI8.start),
  );
  for (let strips = int(pc + SparseI8.strips); strips > 0; strips--) {
    readStrip(index);
    const below = w + ((lower - upper) >> 1) * tileBytes(kind);
    let x = codes;
    let m = meta;
    let y = dst;
    let a = add;
    let left = rows;
    while (left > 0) {
      let done = 1;
      if (digits == 2 || left > 1) {
        const step = digits == 2 ? plane : codesStride;
        // The lower eight outputs lie 32 bytes after the upper ones.
        for (let at: usize = 0; at < 64; at += 32) {
          const v = at ? below : w;
          const i = at ? lower : upper;
          const stop = at ? end : lower;
          if (ASC_FEATURE_RELAXED_SIMD) {
            relaxed.two(pairs, kind, levels, at, digits, v, i, stop, x, step, m, metaStride, y, dstStride, a, addStride);
          } else {
            simd128.two(kind, levels, at, digits, v, i, stop, x, step, m, metaStride, y, dstStride, a, addStride);
          }
        }
        done = digits == 2 ? 1 : 2;
      } else if (ASC_FEATURE_RELAXED_SIMD) {
        relaxed.one(pairs, kind, levels, w, x, m, y, a);
      } else {
        simd128.one(kind, levels, w, x, m, y, a);
      }
      x += done * codesStride;
      m += done * metaStride;
      y += done * dstStride;
      a += done * addStride;
      left -= done;
    }
    w += tileCount() * tileBytes(kind);
    index = end;
    dst += 64;
    if (add) add += 64;
    levels += 16;
    nextStrip();
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
