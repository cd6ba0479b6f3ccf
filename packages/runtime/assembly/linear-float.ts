import { splat } from './activations';
import { LinearCodes, LinearF32 } from './generated/opcodes';
import { address, base, int, rowCount, stride } from './operands';

// y = W·x with a float32 operand. A strip is 16 rows of W, lying column by column; each of its lanes sums over the
// columns in order. Eight vectors of sums hide the latency of the addition and still stay in registers: one row of x by
// two strips, two rows by one strip, or, where each weight must first be made a float, four rows by half a strip.

/** What W is stored as. */
const FLOAT = 0;
const INT8 = 1;
const INT16 = 2;

/** Bytes of a column of a strip. */
@inline
function columnBytes(kind: i32): usize {
  return kind == FLOAT ? 64 : kind == INT8 ? 16 : 32;
}

/** Eight int8 or int16 as int16; the low and high four of them are then made float32. */
@inline
function loadCodes(kind: i32, w: usize, at: usize): v128 {
  return kind == INT8 ? v128.load_ext<i8>(w + at) : v128.load(w + 2 * at);
}

@inline
function low(codes: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes));
}

@inline
function high(codes: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(codes));
}

@inline
function accumulate(sum: v128, w: v128, x: v128): v128 {
  return f32x4.add(sum, f32x4.mul(w, x));
}

// Addresses of the running strip's scales, offsets and biases, 0 where absent.
let scales: usize = 0;
let offsets: usize = 0;
let bias: usize = 0;

/** Writes four outputs: [scale·y [+ offset·Σx]], then + bias, or add + . */
@inline
function finish(kind: i32, y: v128, xSum: v128, at: usize, dst: usize, add: usize): void {
  if (kind != FLOAT) {
    y = f32x4.mul(v128.load(scales + at), y);
    if (offsets) y = f32x4.add(y, f32x4.mul(v128.load(offsets + at), xSum));
  }
  if (bias) y = f32x4.add(y, v128.load(bias + at));
  else if (add) y = f32x4.add(v128.load(add + at), y);
  v128.store(dst + at, y);
}

/** One row of x, sixteen outputs. */
@inline
function row16(kind: i32, w: usize, x: usize, k: i32, dst: usize, add: usize): void {
  let s0 = splat(0);
  let s1 = splat(0);
  let s2 = splat(0);
  let s3 = splat(0);
  let xSum = splat(0);
  const end = x + (<usize>k << 2);
  for (; x < end; x += 4, w += columnBytes(kind)) {
    const a = v128.load_splat<f32>(x);
    if (kind == FLOAT) {
      s0 = accumulate(s0, v128.load(w), a);
      s1 = accumulate(s1, v128.load(w, 16), a);
      s2 = accumulate(s2, v128.load(w, 32), a);
      s3 = accumulate(s3, v128.load(w, 48), a);
    } else {
      const q = loadCodes(kind, w, 0);
      const r = loadCodes(kind, w, 8);
      s0 = accumulate(s0, low(q), a);
      s1 = accumulate(s1, high(q), a);
      s2 = accumulate(s2, low(r), a);
      s3 = accumulate(s3, high(r), a);
      xSum = f32x4.add(xSum, a);
    }
  }
  finish(kind, s0, xSum, 0, dst, add);
  finish(kind, s1, xSum, 16, dst, add);
  finish(kind, s2, xSum, 32, dst, add);
  finish(kind, s3, xSum, 48, dst, add);
}

/** One row of x, float weights of two strips. */
function row32(w: usize, x: usize, k: i32, dst: usize, add: usize): void {
  let s0 = splat(0);
  let s1 = splat(0);
  let s2 = splat(0);
  let s3 = splat(0);
  let t0 = splat(0);
  let t1 = splat(0);
  let t2 = splat(0);
  let t3 = splat(0);
  const end = x + (<usize>k << 2);
  let v = w + (<usize>k << 6);
  for (; x < end; x += 4, w += 64, v += 64) {
    const a = v128.load_splat<f32>(x);
    s0 = accumulate(s0, v128.load(w), a);
    s1 = accumulate(s1, v128.load(w, 16), a);
    s2 = accumulate(s2, v128.load(w, 32), a);
    s3 = accumulate(s3, v128.load(w, 48), a);
    // Never taken. V8 moves the loads of a block to its top, and eight of them leave no registers for the sums.
    if (v == 0) break;
    t0 = accumulate(t0, v128.load(v), a);
    t1 = accumulate(t1, v128.load(v, 16), a);
    t2 = accumulate(t2, v128.load(v, 32), a);
    t3 = accumulate(t3, v128.load(v, 48), a);
  }
  const none = splat(0);
  finish(FLOAT, s0, none, 0, dst, add);
  finish(FLOAT, s1, none, 16, dst, add);
  finish(FLOAT, s2, none, 32, dst, add);
  finish(FLOAT, s3, none, 48, dst, add);
  finish(FLOAT, t0, none, 64, dst, add);
  finish(FLOAT, t1, none, 80, dst, add);
  finish(FLOAT, t2, none, 96, dst, add);
  finish(FLOAT, t3, none, 112, dst, add);
}

/** Two rows of x, float weights of one strip. */
function rows2(w: usize, x: usize, step: usize, k: i32, dst: usize, dstStep: usize, add: usize, addStep: usize): void {
  let a0 = splat(0);
  let a1 = splat(0);
  let a2 = splat(0);
  let a3 = splat(0);
  let b0 = splat(0);
  let b1 = splat(0);
  let b2 = splat(0);
  let b3 = splat(0);
  const end = x + (<usize>k << 2);
  for (; x < end; x += 4, w += 64) {
    const xa = v128.load_splat<f32>(x);
    const xb = v128.load_splat<f32>(x + step);
    let v = v128.load(w);
    a0 = accumulate(a0, v, xa);
    b0 = accumulate(b0, v, xb);
    v = v128.load(w, 16);
    a1 = accumulate(a1, v, xa);
    b1 = accumulate(b1, v, xb);
    // As in row32.
    if (w == 0) break;
    v = v128.load(w, 32);
    a2 = accumulate(a2, v, xa);
    b2 = accumulate(b2, v, xb);
    v = v128.load(w, 48);
    a3 = accumulate(a3, v, xa);
    b3 = accumulate(b3, v, xb);
  }
  const none = splat(0);
  finish(FLOAT, a0, none, 0, dst, add);
  finish(FLOAT, a1, none, 16, dst, add);
  finish(FLOAT, a2, none, 32, dst, add);
  finish(FLOAT, a3, none, 48, dst, add);
  dst += dstStep;
  add += addStep;
  finish(FLOAT, b0, none, 0, dst, add);
  finish(FLOAT, b1, none, 16, dst, add);
  finish(FLOAT, b2, none, 32, dst, add);
  finish(FLOAT, b3, none, 48, dst, add);
}

/** Four rows of x, eight outputs of codes: half 0 or 1 of the strip. */
@inline
function rows4(kind: i32, half: usize, w: usize, x: usize, step: usize, k: i32, dst: usize, dstStep: usize, add: usize, addStep: usize): void {
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
  const bytes = <usize>k << 2;
  for (let i: usize = 0; i < bytes; i += 4, w += columnBytes(kind)) {
    const q = loadCodes(kind, w, 8 * half);
    const w0 = low(q);
    const w1 = high(q);
    let xi = v128.load_splat<f32>(x + i);
    a0 = accumulate(a0, w0, xi);
    a1 = accumulate(a1, w1, xi);
    xi = v128.load_splat<f32>(x1 + i);
    b0 = accumulate(b0, w0, xi);
    b1 = accumulate(b1, w1, xi);
    xi = v128.load_splat<f32>(x2 + i);
    c0 = accumulate(c0, w0, xi);
    c1 = accumulate(c1, w1, xi);
    xi = v128.load_splat<f32>(x3 + i);
    d0 = accumulate(d0, w0, xi);
    d1 = accumulate(d1, w1, xi);
  }
  const at = 32 * half;
  const none = splat(0);
  finish(kind, a0, none, at, dst, add);
  finish(kind, a1, none, at + 16, dst, add);
  dst += dstStep;
  add += addStep;
  finish(kind, b0, none, at, dst, add);
  finish(kind, b1, none, at + 16, dst, add);
  dst += dstStep;
  add += addStep;
  finish(kind, c0, none, at, dst, add);
  finish(kind, c1, none, at + 16, dst, add);
  dst += dstStep;
  add += addStep;
  finish(kind, d0, none, at, dst, add);
  finish(kind, d1, none, at + 16, dst, add);
}

/** All strips; the rows of x run inside, so that a strip of W stays in the first cache. */
@inline
function linear(kind: i32, pc: usize): void {
  // linearCodes begins with the operands of linearF32.
  const rows = rowCount(pc + LinearF32.rows);
  const k = int(pc + LinearF32.k);
  const src = base(pc + LinearF32.src);
  const srcStride = stride(pc + LinearF32.src);
  const dstStride = stride(pc + LinearF32.dst);
  let dst = base(pc + LinearF32.dst);
  let add = base(pc + LinearF32.add);
  const addStride = add ? stride(pc + LinearF32.add) : 0;
  let w = address(pc + LinearF32.weights);
  bias = address(pc + LinearF32.bias);
  scales = kind == FLOAT ? 0 : address(pc + LinearCodes.scales);
  offsets = kind == FLOAT ? 0 : address(pc + LinearCodes.offsets);
  // Σx is carried by the single-row kernel only.
  const tiled = offsets == 0 ? rows & (kind == FLOAT ? ~1 : ~3) : 0;
  let strips = int(pc + LinearF32.strips);
  if (kind == FLOAT && rows == 1) {
    for (; strips > 1; strips -= 2) {
      row32(w, src, k, dst, add);
      w += <usize>k << 7;
      dst += 128;
      if (add) add += 128;
      if (bias) bias += 128;
    }
  }
  for (; strips > 0; strips--) {
    let x = src;
    let y = dst;
    let a = add;
    let row = 0;
    while (row < tiled) {
      const done = kind == FLOAT ? 2 : 4;
      if (kind == FLOAT) {
        rows2(w, x, srcStride, k, y, dstStride, a, addStride);
      } else {
        rows4(kind, 0, w, x, srcStride, k, y, dstStride, a, addStride);
        rows4(kind, 1, w, x, srcStride, k, y, dstStride, a, addStride);
      }
      row += done;
      x += done * srcStride;
      y += done * dstStride;
      a += done * addStride;
    }
    for (; row < rows; row++) {
      row16(kind, w, x, k, y, a);
      x += srcStride;
      y += dstStride;
      a += addStride;
    }
    w += <usize>k * columnBytes(kind);
    dst += 64;
    if (add) add += 64;
    if (bias) bias += 64;
    if (kind != FLOAT) scales += 64;
    if (offsets) offsets += 64;
  }
}

export function linearF32(pc: usize): void {
  linear(FLOAT, pc);
}

function linearInt8(pc: usize): void {
  linear(INT8, pc);
}

function linearInt16(pc: usize): void {
  linear(INT16, pc);
}

export function linearCodes(pc: usize): void {
  if (int(pc + LinearCodes.wide)) linearInt16(pc);
  else linearInt8(pc);
}
