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

/**
 * z [rows, 4H] (input, forget, output, candidate) → gates; c ← f⊙c₀ + i⊙g; h ← o⊙tanh(c). In three turns of each row: a
 * processor overlaps functions that do not wait for each other.
 */
export function lstmForward(rows: i32, units: i32, z: usize, c0: usize, c: usize, h: usize): void {
  const gate = <usize>units << 2;
  for (; rows > 0; rows--, z += 4 * gate, c0 += gate, c += gate, h += gate) {
    for (let k: usize = 0; k < 3 * gate; k += 16) v128.store(z + k, sigmoid4(v128.load(z + k)));
    for (let k: usize = 0; k < gate; k += 16) {
      const at = z + k;
      const g = tanh4(v128.load(at + 3 * gate));
      v128.store(at + 3 * gate, g);
      const kept = f32x4.mul(v128.load(at + gate), v128.load(c0 + k));
      v128.store(c + k, f32x4.add(kept, f32x4.mul(v128.load(at), g)));
    }
    const o = z + 2 * gate;
    for (let k: usize = 0; k < gate; k += 16) v128.store(h + k, f32x4.mul(v128.load(o + k), tanh4(v128.load(c + k))));
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

/** pre [rows, 3H] (update, reset, candidate) → gates, with u = U·h₀ + bR; h ← z⊙h₀ + (1 − z)⊙n. In two turns, likewise. */
export function gruForward(rows: i32, units: i32, pre: usize, u: usize, h0: usize, h: usize): void {
  const gate = <usize>units << 2;
  for (; rows > 0; rows--, pre += 3 * gate, u += 3 * gate, h0 += gate, h += gate) {
    for (let k: usize = 0; k < 2 * gate; k += 16) {
      v128.store(pre + k, sigmoid4(f32x4.add(v128.load(pre + k), v128.load(u + k))));
    }
    for (let k: usize = 0; k < gate; k += 16) {
      const z = v128.load(pre + k);
      const r = v128.load(pre + gate + k);
      const candidate = pre + 2 * gate + k;
      const n = tanh4(f32x4.add(v128.load(candidate), f32x4.mul(r, v128.load(u + 2 * gate + k))));
      v128.store(candidate, n);
      v128.store(h + k, f32x4.add(f32x4.mul(z, v128.load(h0 + k)), f32x4.mul(f32x4.sub(one(), z), n)));
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
