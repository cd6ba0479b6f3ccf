import { splat } from './activations';
import { SparseF32 } from './generated/opcodes';
import { address, base, int, rowCount, stride } from './operands';
import { firstAt, firstCount, firstTiles, pairCount, pairEnd, secondAt, secondTiles } from './sparse-tiles';

// linearF32 over a list of tiles of 8 rows by 4 columns: each of eight lanes sums over the tile's columns in order. An addition waits
// for the one before it, so that several sums must run side by side: of one row of x with a pair of strips, of four rows with one strip.

/** Bytes of a tile. */
const TILE: usize = 128;

@inline
function accumulate(sum: v128, w: v128, x: v128): v128 {
  return f32x4.add(sum, f32x4.mul(w, x));
}

/** Bytes from the row's start to the tile's first column. */
@inline
function columns(at: usize): usize {
  return <usize>load<u16>(at) << 4;
}

/** Writes four outputs, after adding the bias or other outputs (a sum has the same bits in either order). */
@inline
function finish(y: v128, at: usize, dst: usize, plus: usize): void {
  if (plus) y = f32x4.add(y, v128.load(plus + at));
  v128.store(dst + at, y);
}

/** Bytes of the columns of the last tile of a list: fewer than four where k ends inside it. */
@inline
function lastBytes(from: usize, to: usize, k: i32): usize {
  return to > from && <i32>load<u16>(to - 2) == k >> 2 ? <usize>(k & 3) << 2 : 0;
}

/** One row of x, the sixteen outputs of a pair. */
function row16(pair: usize, w: usize, x: usize, k: i32, dst: usize, plus: usize): void {
  let a0 = splat(0);
  let a1 = splat(0);
  let b0 = splat(0);
  let b1 = splat(0);
  let i = firstTiles(pair);
  let j = secondTiles(pair);
  let v = w + firstCount(pair) * TILE;
  // Tiles that k cuts are the last of their strip.
  const cutFirst = lastBytes(i, j, k);
  const end = pairEnd(pair);
  const cutSecond = lastBytes(j, end, k);
  const shared = j - (cutFirst ? 2 : 0);
  const stop = end - (cutSecond ? 2 : 0);
  for (; i < shared && j < stop; i += 2, j += 2, w += TILE, v += TILE) {
    const xi = x + columns(i);
    const xj = x + columns(j);
    let p = v128.load_splat<f32>(xi);
    let q = v128.load_splat<f32>(xj);
    a0 = accumulate(a0, v128.load(w), p);
    a1 = accumulate(a1, v128.load(w, 16), p);
    b0 = accumulate(b0, v128.load(v), q);
    b1 = accumulate(b1, v128.load(v, 16), q);
    // Never taken. V8 moves the loads of a block to its top, where so many of them leave no registers.
    if (w == 0) break;
    p = v128.load_splat<f32>(xi, 4);
    q = v128.load_splat<f32>(xj, 4);
    a0 = accumulate(a0, v128.load(w, 32), p);
    a1 = accumulate(a1, v128.load(w, 48), p);
    b0 = accumulate(b0, v128.load(v, 32), q);
    b1 = accumulate(b1, v128.load(v, 48), q);
    if (v == 0) break;
    p = v128.load_splat<f32>(xi, 8);
    q = v128.load_splat<f32>(xj, 8);
    a0 = accumulate(a0, v128.load(w, 64), p);
    a1 = accumulate(a1, v128.load(w, 80), p);
    b0 = accumulate(b0, v128.load(v, 64), q);
    b1 = accumulate(b1, v128.load(v, 80), q);
    if (i == 0) break;
    p = v128.load_splat<f32>(xi, 12);
    q = v128.load_splat<f32>(xj, 12);
    a0 = accumulate(a0, v128.load(w, 96), p);
    a1 = accumulate(a1, v128.load(w, 112), p);
    b0 = accumulate(b0, v128.load(v, 96), q);
    b1 = accumulate(b1, v128.load(v, 112), q);
  }
  for (; i < shared; i += 2, w += TILE) {
    const xi = x + columns(i);
    for (let c: usize = 0; c < 4; c++) {
      const p = v128.load_splat<f32>(xi + (c << 2));
      a0 = accumulate(a0, v128.load(w + (c << 5)), p);
      a1 = accumulate(a1, v128.load(w + (c << 5), 16), p);
    }
  }
  for (; j < stop; j += 2, v += TILE) {
    const xj = x + columns(j);
    for (let c: usize = 0; c < 4; c++) {
      const q = v128.load_splat<f32>(xj + (c << 2));
      b0 = accumulate(b0, v128.load(v + (c << 5)), q);
      b1 = accumulate(b1, v128.load(v + (c << 5), 16), q);
    }
  }
  const xk = x + (<usize>(k >> 2) << 4);
  for (let c: usize = 0; c < cutFirst; c += 4) {
    const p = v128.load_splat<f32>(xk + c);
    a0 = accumulate(a0, v128.load(w + (c << 3)), p);
    a1 = accumulate(a1, v128.load(w + (c << 3), 16), p);
  }
  for (let c: usize = 0; c < cutSecond; c += 4) {
    const q = v128.load_splat<f32>(xk + c);
    b0 = accumulate(b0, v128.load(v + (c << 3)), q);
    b1 = accumulate(b1, v128.load(v + (c << 3), 16), q);
  }
  const at = firstAt(pair);
  finish(a0, at, dst, plus);
  finish(a1, at + 16, dst, plus);
  const below = secondAt(pair);
  finish(b0, below, dst, plus);
  finish(b1, below + 16, dst, plus);
}

/** Four rows of x, the eight outputs of a strip: its tiles from `i` up to `stop`. */
function rows4(w: usize, i: usize, stop: usize, x: usize, step: usize, k: i32, at: usize, dst: usize, dstStep: usize, plus: usize, plusStep: usize): void {
  let a0 = splat(0);
  let a1 = splat(0);
  let b0 = splat(0);
  let b1 = splat(0);
  let c0 = splat(0);
  let c1 = splat(0);
  let d0 = splat(0);
  let d1 = splat(0);
  const x1 = x + step;
  const x2 = x1 + step;
  const x3 = x2 + step;
  const cut = lastBytes(i, stop, k);
  for (; i < stop; i += 2, w += TILE) {
    let o = columns(i);
    const last = o + (cut && i + 2 == stop ? cut : 16);
    for (let u = w; o < last; o += 4, u += 32) {
      const w0 = v128.load(u);
      const w1 = v128.load(u, 16);
      let p = v128.load_splat<f32>(x + o);
      a0 = accumulate(a0, w0, p);
      a1 = accumulate(a1, w1, p);
      p = v128.load_splat<f32>(x1 + o);
      b0 = accumulate(b0, w0, p);
      b1 = accumulate(b1, w1, p);
      p = v128.load_splat<f32>(x2 + o);
      c0 = accumulate(c0, w0, p);
      c1 = accumulate(c1, w1, p);
      p = v128.load_splat<f32>(x3 + o);
      d0 = accumulate(d0, w0, p);
      d1 = accumulate(d1, w1, p);
    }
  }
  finish(a0, at, dst, plus);
  finish(a1, at + 16, dst, plus);
  dst += dstStep;
  plus += plusStep;
  finish(b0, at, dst, plus);
  finish(b1, at + 16, dst, plus);
  dst += dstStep;
  plus += plusStep;
  finish(c0, at, dst, plus);
  finish(c1, at + 16, dst, plus);
  dst += dstStep;
  plus += plusStep;
  finish(d0, at, dst, plus);
  finish(d1, at + 16, dst, plus);
}

export function sparseF32(pc: usize): void {
  const rows = rowCount(pc + SparseF32.rows);
  const k = int(pc + SparseF32.k);
  const src = base(pc + SparseF32.src);
  const srcStride = stride(pc + SparseF32.src);
  const dstStride = stride(pc + SparseF32.dst);
  const dst = base(pc + SparseF32.dst);
  const bias = address(pc + SparseF32.bias);
  const plus = bias ? bias : base(pc + SparseF32.add);
  const plusStride = bias || !plus ? 0 : stride(pc + SparseF32.add);
  let w = address(pc + SparseF32.weights);
  let pair = address(pc + SparseF32.index);
  // As many pairs of 8 rows as strips of 16.
  for (let count = int(pc + SparseF32.strips); count > 0; count--) {
    const second = w + firstCount(pair) * TILE;
    const end = pairEnd(pair);
    let x = src;
    let y = dst;
    let a = plus;
    let left = rows;
    for (; left >= 4; left -= 4) {
      rows4(w, firstTiles(pair), secondTiles(pair), x, srcStride, k, firstAt(pair), y, dstStride, a, plusStride);
      rows4(second, secondTiles(pair), end, x, srcStride, k, secondAt(pair), y, dstStride, a, plusStride);
      x += 4 * srcStride;
      y += 4 * dstStride;
      a += 4 * plusStride;
    }
    for (; left > 0; left--) {
      row16(pair, w, x, k, y, a);
      x += srcStride;
      y += dstStride;
      a += plusStride;
    }
    w += pairCount(pair) * TILE;
    pair = end;
  }
}
