// One update of n parameters. What depends on the number of the step alone comes computed.

/**
 * Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019):
 * m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − rate·(m/c₁)/(√(v/c₂) + ε) − rate·decay·w, with c = 1 − βᵗ.
 */
export function adam(
  n: i32,
  w: usize,
  g: usize,
  m: usize,
  v: usize,
  rate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  decay: f32,
  c1: f32,
  c2: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const b2 = f32x4.splat(beta2);
  const a1 = f32x4.splat(1 - beta1);
  const a2 = f32x4.splat(1 - beta2);
  const e = f32x4.splat(epsilon);
  const r = f32x4.splat(rate / c1);
  const inverse = f32x4.splat(1 / c2);
  const kept = f32x4.splat(1 - rate * decay);
  // Parameters are padded to four.
  for (const end = w + (<usize>n << 2); w < end; w += 16, g += 16, m += 16, v += 16) {
    const d = v128.load(g);
    const first = f32x4.add(f32x4.mul(b1, v128.load(m)), f32x4.mul(a1, d));
    const second = f32x4.add(f32x4.mul(b2, v128.load(v)), f32x4.mul(a2, f32x4.mul(d, d)));
    v128.store(m, first);
    v128.store(v, second);
    const step = f32x4.div(f32x4.mul(r, first), f32x4.add(f32x4.sqrt(f32x4.mul(second, inverse)), e));
    v128.store(w, f32x4.sub(f32x4.mul(kept, v128.load(w)), step));
  }
}

/** v ← momentum·v + (g + decay·w), w ← w − rate·(v, or g + momentum·v after Nesterov 1983). */
export function sgd(n: i32, w: usize, g: usize, v: usize, rate: f32, momentum: f32, decay: f32, nesterov: i32): void {
  const r = f32x4.splat(rate);
  const mu = f32x4.splat(momentum);
  const lambda = f32x4.splat(decay);
  for (const end = w + (<usize>n << 2); w < end; w += 16, g += 16, v += 16) {
    const d = f32x4.add(v128.load(g), f32x4.mul(lambda, v128.load(w)));
    const speed = f32x4.add(f32x4.mul(mu, v128.load(v)), d);
    v128.store(v, speed);
    const step = nesterov ? f32x4.add(d, f32x4.mul(mu, speed)) : speed;
    v128.store(w, f32x4.sub(v128.load(w), f32x4.mul(r, step)));
  }
}
