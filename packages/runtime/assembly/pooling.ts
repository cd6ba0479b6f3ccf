import { splat } from './activations';
import { Pool, ReduceTaps, ReduceTime } from './generated/opcodes';
import { base, batchSize, int, register, rowCount, stride } from './operands';

// Maxima (0), means (1) and sums (2) over rows, in order.

let mask: usize = 0;
let maskStride: usize = 0;

/**
 * Four lanes over `rows` rows from x on, `step` bytes apart; with a mask, over those where it is not 0.
 */
function reduce4(kind: i32, x: usize, rows: i32, step: usize): v128 {
  let y = splat(kind == 0 ? f32.NEGATIVE_INFINITY : 0);
  let count = 0;
  let m = mask;
  for (let t = 0; t < rows; t++, x += step, m += maskStride) {
    if (m != 0 && load<f32>(m) == 0) continue;
    const value = v128.load(x);
    y = kind == 0 ? f32x4.pmax(y, value) : f32x4.add(y, value);
    count++;
  }
  return kind == 1 ? f32x4.div(y, splat(<f32>count)) : y;
}

@inline
function reduceRow(kind: i32, y: usize, x: usize, bytes: usize, rows: i32, step: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(y + i, reduce4(kind, x + i, rows, step));
}

export function reduceTaps(pc: usize): void {
  const bytes = <usize>int(pc + ReduceTaps.n) << 2;
  const size = int(pc + ReduceTaps.size);
  const kind = int(pc + ReduceTaps.kind);
  const srcStride = stride(pc + ReduceTaps.src);
  const dstStride = stride(pc + ReduceTaps.dst);
  let x = base(pc + ReduceTaps.src);
  let y = base(pc + ReduceTaps.dst);
  mask = 0;
  for (let rows = rowCount(pc + ReduceTaps.rows); rows > 0; rows--, x += srcStride, y += dstStride) {
    reduceRow(kind, y, x, bytes, size, bytes);
  }
}

export function pool(pc: usize): void {
  const outRows = register(pc + Pool.outRows);
  const inRows = register(pc + Pool.inRows);
  const bytes = <usize>int(pc + Pool.n) << 2;
  const size = int(pc + Pool.size);
  const hop = int(pc + Pool.stride);
  const left = int(pc + Pool.left);
  const kind = int(pc + Pool.kind);
  const srcStride = stride(pc + Pool.src);
  const dstStride = stride(pc + Pool.dst);
  let x = base(pc + Pool.src);
  let y = base(pc + Pool.dst);
  mask = 0;
  for (let b = batchSize(); b > 0; b--, x += inRows * srcStride) {
    for (let j = 0; j < outRows; j++, y += dstStride) {
      const start = j * hop - left;
      const from = max(start, 0);
      reduceRow(kind, y, x + from * srcStride, bytes, min(start + size, inRows) - from, srcStride);
    }
  }
}

export function reduceTime(pc: usize): void {
  const inRows = register(pc + ReduceTime.inRows);
  const bytes = <usize>int(pc + ReduceTime.n) << 2;
  const kind = int(pc + ReduceTime.kind);
  const srcStride = stride(pc + ReduceTime.src);
  const dstStride = stride(pc + ReduceTime.dst);
  let x = base(pc + ReduceTime.src);
  let y = base(pc + ReduceTime.dst);
  mask = base(pc + ReduceTime.mask);
  maskStride = stride(pc + ReduceTime.mask);
  for (let b = batchSize(); b > 0; b--, y += dstStride) {
    reduceRow(kind, y, x, bytes, inRows, srcStride);
    x += inRows * srcStride;
    if (mask) mask += inRows * maskStride;
  }
}
