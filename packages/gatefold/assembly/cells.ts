import { sigmoid4, tanh4 } from '../../runtime/assembly/activations';

// The element-wise half of a step, forward and backward, for the usual activations. Gates are read and written in place:
// pre-activations become gates, gates become gradients of pre-activations. H is a multiple of 4 (others go composed).

@inline
function one(): v128 {
  return f32x4.splat(1);
}

/** σ'·d = d·y·(1 − y) */
@inline
function throughSigmoid(d: v128, y: v128): v128 {
  return f32x4.mul(d, f32x4.mul(y, f32x4.sub(one(), y)));
}

@inline
function throughTanh(d: v128, y: v128): v128 {
  return f32x4.mul(d, f32x4.sub(one(), f32x4.mul(y, y)));
}

/** z [rows, 4H] (input, forget, output, candidate) → gates; c ← f⊙c₀ + i⊙g; h ← o⊙tanh(c). */
export function lstmForward(rows: i32, units: i32, z: usize, c0: usize, c: usize, h: usize): void {
  const gate = <usize>units << 2;
  for (; rows > 0; rows--, z += 3 * gate) {
    for (const end = z + gate; z < end; z += 16, c0 += 16, c += 16, h += 16) {
      const i = sigmoid4(v128.load(z));
      const f = sigmoid4(v128.load(z + gate));
      const o = sigmoid4(v128.load(z + 2 * gate));
      const g = tanh4(v128.load(z + 3 * gate));
      v128.store(z, i);
      v128.store(z + gate, f);
      v128.store(z + 2 * gate, o);
      v128.store(z + 3 * gate, g);
      const next = f32x4.add(f32x4.mul(f, v128.load(c0)), f32x4.mul(i, g));
      v128.store(c, next);
      v128.store(h, f32x4.mul(o, tanh4(next)));
    }
  }
}

/** Gates → dz in place; dc holds ∂L/∂c on entry and ∂L/∂c₀ on return; dh is ∂L/∂h. */
export function lstmBackward(rows: i32, units: i32, z: usize, c0: usize, c: usize, dh: usize, dc: usize): void {
  const gate = <usize>units << 2;
  for (; rows > 0; rows--, z += 3 * gate) {
    for (const end = z + gate; z < end; z += 16, c0 += 16, c += 16, dh += 16, dc += 16) {
      const i = v128.load(z);
      const f = v128.load(z + gate);
      const o = v128.load(z + 2 * gate);
      const g = v128.load(z + 3 * gate);
      const shown = tanh4(v128.load(c));
      const d = v128.load(dh);
      const whole = f32x4.add(v128.load(dc), throughTanh(f32x4.mul(d, o), shown));
      v128.store(z, throughSigmoid(f32x4.mul(whole, g), i));
      v128.store(z + gate, throughSigmoid(f32x4.mul(whole, v128.load(c0)), f));
      v128.store(z + 2 * gate, throughSigmoid(f32x4.mul(d, shown), o));
      v128.store(z + 3 * gate, throughTanh(f32x4.mul(whole, i), g));
      v128.store(dc, f32x4.mul(whole, f));
    }
  }
}

/** pre [rows, 3H] (update, reset, candidate) → gates, with u = U·h₀ + bR; h ← z⊙h₀ + (1 − z)⊙n. */
export function gruForward(rows: i32, units: i32, pre: usize, u: usize, h0: usize, h: usize): void {
  const gate = <usize>units << 2;
  for (; rows > 0; rows--, pre += 2 * gate, u += 2 * gate) {
    for (const end = pre + gate; pre < end; pre += 16, u += 16, h0 += 16, h += 16) {
      const z = sigmoid4(f32x4.add(v128.load(pre), v128.load(u)));
      const r = sigmoid4(f32x4.add(v128.load(pre + gate), v128.load(u + gate)));
      const n = tanh4(f32x4.add(v128.load(pre + 2 * gate), f32x4.mul(r, v128.load(u + 2 * gate))));
      v128.store(pre, z);
      v128.store(pre + gate, r);
      v128.store(pre + 2 * gate, n);
      v128.store(h, f32x4.add(f32x4.mul(z, v128.load(h0)), f32x4.mul(f32x4.sub(one(), z), n)));
    }
  }
}

/** Gates → dpre, u → du, both in place; dh0 ← z⊙dh, the part of ∂L/∂h₀ that does not go through U. */
export function gruBackward(rows: i32, units: i32, pre: usize, u: usize, h0: usize, dh: usize, dh0: usize): void {
  const gate = <usize>units << 2;
  for (; rows > 0; rows--, pre += 2 * gate, u += 2 * gate) {
    for (const end = pre + gate; pre < end; pre += 16, u += 16, h0 += 16, dh += 16, dh0 += 16) {
      const z = v128.load(pre);
      const r = v128.load(pre + gate);
      const n = v128.load(pre + 2 * gate);
      const d = v128.load(dh);
      const dn = throughTanh(f32x4.mul(d, f32x4.sub(one(), z)), n);
      const dz = throughSigmoid(f32x4.mul(d, f32x4.sub(v128.load(h0), n)), z);
      const dr = throughSigmoid(f32x4.mul(dn, v128.load(u + 2 * gate)), r);
      v128.store(pre, dz);
      v128.store(pre + gate, dr);
      v128.store(pre + 2 * gate, dn);
      v128.store(u, dz);
      v128.store(u + gate, dr);
      v128.store(u + 2 * gate, f32x4.mul(dn, r));
      v128.store(dh0, f32x4.mul(d, z));
    }
  }
}
