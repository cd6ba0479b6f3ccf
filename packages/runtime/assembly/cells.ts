import {
  tanhHigh,
  tanhLow,
  tanhP1,
  tanhP2,
  tanhP3,
  tanhP4,
  tanhQ1,
  tanhQ2,
  tanhQ3,
  tanhQ4,
} from './generated/coefficients';
import { Gru, Lstm } from './generated/opcodes';
import { half, minusOne, one } from './lanes';
import { base, batchSize, int, stride } from './operands';

// The epilogues of the gated cells. Constants stand in locals outside the loops: only what is a local V8 loads at its
// use; globals it loads all at the top of the loop and then has no registers for.

/** tanh of activations.ts, on given constants (the constant terms of P and Q are 1). */
@inline
function tanhBy(
  x: v128,
  low: v128,
  high: v128,
  p1: v128,
  p2: v128,
  p3: v128,
  p4: v128,
  q1: v128,
  q2: v128,
  q3: v128,
  q4: v128,
  below: v128,
  unit: v128,
): v128 {
  const a = f32x4.pmin(f32x4.pmax(x, low), high);
  const t = f32x4.mul(a, a);
  let p = f32x4.add(f32x4.mul(p4, t), p3);
  let q = f32x4.add(f32x4.mul(q4, t), q3);
  p = f32x4.add(f32x4.mul(p, t), p2);
  q = f32x4.add(f32x4.mul(q, t), q2);
  p = f32x4.add(f32x4.mul(p, t), p1);
  q = f32x4.add(f32x4.mul(q, t), q1);
  p = f32x4.add(f32x4.mul(p, t), unit);
  q = f32x4.add(f32x4.mul(q, t), unit);
  return f32x4.pmin(f32x4.pmax(f32x4.div(f32x4.mul(a, p), q), below), unit);
}

/** ½ + ½·tanh(x/2): the bits of sigmoid (see activations.ts). */
@inline
function sigmoidBy(
  x: v128,
  low: v128,
  high: v128,
  p1: v128,
  p2: v128,
  p3: v128,
  p4: v128,
  q1: v128,
  q2: v128,
  q3: v128,
  q4: v128,
  below: v128,
  unit: v128,
  h2: v128,
): v128 {
  const y = tanhBy(f32x4.mul(h2, x), low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit);
  return f32x4.add(h2, f32x4.mul(h2, y));
}

/** c ← σ(f)·c + σ(i)·tanh(g), h ← σ(o)·tanh(c) */
export function lstm(pc: usize): void {
  const low = tanhLow;
  const high = tanhHigh;
  const p1 = tanhP1;
  const p2 = tanhP2;
  const p3 = tanhP3;
  const p4 = tanhP4;
  const q1 = tanhQ1;
  const q2 = tanhQ2;
  const q3 = tanhQ3;
  const q4 = tanhQ4;
  const below = minusOne;
  const unit = one;
  const h2 = half;
  const bytes = <usize>int(pc + Lstm.n) << 2;
  const gate = <usize>int(pc + Lstm.gate) << 2;
  const zStride = stride(pc + Lstm.z);
  const cStride = stride(pc + Lstm.c);
  const hStride = stride(pc + Lstm.h);
  let z = base(pc + Lstm.z);
  let c = base(pc + Lstm.c);
  let h = base(pc + Lstm.h);
  for (let rows = batchSize(); rows > 0; rows--, z += zStride, c += cStride, h += hStride) {
    const f = z + gate;
    const o = f + gate;
    const g = o + gate;
    // Two loops: tanh(c) waits for all of c, and a processor looks only so far ahead.
    for (let u: usize = 0; u < bytes; u += 16) {
      const forget = sigmoidBy(v128.load(f + u), low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit, h2);
      const entry = sigmoidBy(v128.load(z + u), low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit, h2);
      const candidate = tanhBy(v128.load(g + u), low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit);
      v128.store(c + u, f32x4.add(f32x4.mul(forget, v128.load(c + u)), f32x4.mul(entry, candidate)));
    }
    for (let u: usize = 0; u < bytes; u += 16) {
      const leave = sigmoidBy(v128.load(o + u), low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit, h2);
      const shown = tanhBy(v128.load(c + u), low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit);
      v128.store(h + u, f32x4.mul(leave, shown));
    }
  }
}

/** z = σ(pre + u), r = σ(pre + u), n = tanh(pre + r·u), dst ← z·h + (1 − z)·n */
export function gru(pc: usize): void {
  const bytes = <usize>int(pc + Gru.n) << 2;
  const gate = <usize>int(pc + Gru.gate) << 2;
  const preStride = stride(pc + Gru.pre);
  const uStride = stride(pc + Gru.u);
  const hStride = stride(pc + Gru.h);
  const dstStride = stride(pc + Gru.dst);
  const low = tanhLow;
  const high = tanhHigh;
  const p1 = tanhP1;
  const p2 = tanhP2;
  const p3 = tanhP3;
  const p4 = tanhP4;
  const q1 = tanhQ1;
  const q2 = tanhQ2;
  const q3 = tanhQ3;
  const q4 = tanhQ4;
  const below = minusOne;
  const unit = one;
  const h2 = half;
  let pre = base(pc + Gru.pre);
  let rec = base(pc + Gru.u);
  let h = base(pc + Gru.h);
  let dst = base(pc + Gru.dst);
  for (let rows = batchSize(); rows > 0; rows--, pre += preStride, rec += uStride, h += hStride, dst += dstStride) {
    for (let i: usize = 0; i < bytes; i += 16) {
      const p = pre + i;
      const u = rec + i;
      const rSum = f32x4.add(v128.load(p + gate), v128.load(u + gate));
      const r = sigmoidBy(rSum, low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit, h2);
      const zSum = f32x4.add(v128.load(p), v128.load(u));
      const z = sigmoidBy(zSum, low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit, h2);
      const nSum = f32x4.add(v128.load(p + 2 * gate), f32x4.mul(r, v128.load(u + 2 * gate)));
      const n = tanhBy(nSum, low, high, p1, p2, p3, p4, q1, q2, q3, q4, below, unit);
      const kept = f32x4.mul(z, v128.load(h + i));
      v128.store(dst + i, f32x4.add(kept, f32x4.mul(f32x4.sub(unit, z), n)));
    }
  }
}
