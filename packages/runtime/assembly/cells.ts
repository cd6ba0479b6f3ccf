import { sigmoid4, splat, tanh4 } from './activations';
import { Gru, Lstm } from './generated/opcodes';
import { base, batchSize, int, stride } from './operands';

/** c ← σ(f)·c + σ(i)·tanh(g), h ← σ(o)·tanh(c) */
export function lstm(pc: usize): void {
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
    for (let u: usize = 0; u < bytes; u += 16) {
      const kept = f32x4.mul(sigmoid4(v128.load(f + u)), v128.load(c + u));
      const entering = f32x4.mul(sigmoid4(v128.load(z + u)), tanh4(v128.load(g + u)));
      const next = f32x4.add(kept, entering);
      v128.store(c + u, next);
      v128.store(h + u, f32x4.mul(sigmoid4(v128.load(o + u)), tanh4(next)));
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
  let pre = base(pc + Gru.pre);
  let rec = base(pc + Gru.u);
  let h = base(pc + Gru.h);
  let dst = base(pc + Gru.dst);
  for (let rows = batchSize(); rows > 0; rows--, pre += preStride, rec += uStride, h += hStride, dst += dstStride) {
    for (let i: usize = 0; i < bytes; i += 16) {
      const p = pre + i;
      const u = rec + i;
      const z = sigmoid4(f32x4.add(v128.load(p), v128.load(u)));
      const r = sigmoid4(f32x4.add(v128.load(p + gate), v128.load(u + gate)));
      const n = tanh4(f32x4.add(v128.load(p + 2 * gate), f32x4.mul(r, v128.load(u + 2 * gate))));
      const kept = f32x4.mul(z, v128.load(h + i));
      v128.store(dst + i, f32x4.add(kept, f32x4.mul(f32x4.sub(splat(1), z), n)));
    }
  }
}
