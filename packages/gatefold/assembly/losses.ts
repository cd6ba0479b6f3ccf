import { exp4, log4 } from '../../runtime/assembly/activations';

// A row's loss and its gradient in one pass. `weight` of a row scales both; a row of weight 0 is skipped, and its target
// need not be a class.

@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

@inline
export function log1(x: f32): f32 {
  return f32x4.extract_lane(log4(f32x4.splat(x)), 0);
}

/** p ← softmax(x) of one row; returns log Σ exp(x). */
export function softmaxRow(n: i32, x: usize, p: usize): f32 {
  let top = f32.NEGATIVE_INFINITY;
  for (let i = 0; i < n; i++) top = max(top, load<f32>(x + (<usize>i << 2)));
  const shift = f32x4.splat(top);
  let sum: f32 = 0;
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const at = <usize>i << 2;
    const e = exp4(f32x4.sub(v128.load(x + at), shift));
    v128.store(p + at, e);
    sum += f32x4.extract_lane(e, 0) + f32x4.extract_lane(e, 1) + (f32x4.extract_lane(e, 2) + f32x4.extract_lane(e, 3));
  }
  for (; i < n; i++) {
    const at = <usize>i << 2;
    const e = exp1(load<f32>(x + at) - top);
    store<f32>(p + at, e);
    sum += e;
  }
  const inverse: f32 = 1 / sum;
  for (let k = 0; k < n; k++) {
    const at = p + (<usize>k << 2);
    store<f32>(at, load<f32>(at) * inverse);
  }
  return top + log1(sum);
}

export function softmax(rows: i32, n: i32, x: usize, xRow: usize, y: usize, yRow: usize): void {
  for (; rows > 0; rows--, x += xRow, y += yRow) softmaxRow(n, x, y);
}

/** dx ← dx + y⊙(dy − Σ y⊙dy) */
export function softmaxGradient(
  rows: i32,
  n: i32,
  y: usize,
  yRow: usize,
  dy: usize,
  dyRow: usize,
  dx: usize,
  dxRow: usize,
): void {
  for (; rows > 0; rows--, y += yRow, dy += dyRow, dx += dxRow) {
    let dot: f32 = 0;
    for (let i = 0; i < n; i++) dot += load<f32>(y + (<usize>i << 2)) * load<f32>(dy + (<usize>i << 2));
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      store<f32>(dx + at, load<f32>(dx + at) + load<f32>(y + at) * (load<f32>(dy + at) - dot));
    }
  }
}

/**
 * −Σ weight·log softmax(x)[class], with a share `smoothing` of the target spread evenly over all classes
 * (Szegedy et al. 2016). dx ← weight·(softmax(x) − target).
 */
export function crossEntropy(
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  classes: usize,
  weights: usize,
  smoothing: f32,
  dx: usize,
  dxRow: usize,
): f64 {
  let loss: f64 = 0;
  const spread: f32 = smoothing / <f32>n;
  for (; rows > 0; rows--, x += xRow, dx += dxRow, classes += 4, weights += 4) {
    const weight = load<f32>(weights);
    if (weight == 0) {
      for (let i = 0; i < n; i++) store<f32>(dx + (<usize>i << 2), 0);
      continue;
    }
    const at = <usize>(<i32>load<f32>(classes)) << 2;
    const total = softmaxRow(n, x, dx);
    let row = <f64>(1 - smoothing) * <f64>(total - load<f32>(x + at));
    if (smoothing != 0) {
      let sum: f64 = 0;
      for (let i = 0; i < n; i++) sum += <f64>(total - load<f32>(x + (<usize>i << 2)));
      row += <f64>spread * sum;
    }
    loss += <f64>weight * row;
    store<f32>(dx + at, load<f32>(dx + at) - (1 - smoothing));
    for (let i = 0; i < n; i++) {
      const d = dx + (<usize>i << 2);
      store<f32>(d, weight * (load<f32>(d) - spread));
    }
  }
  return loss;
}

/** Σ weight·Kullback–Leibler divergence of softmax(x) from target distributions; dx ← weight·(softmax(x) − target). */
export function divergence(
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  targets: usize,
  targetsRow: usize,
  weights: usize,
  dx: usize,
  dxRow: usize,
): f64 {
  let loss: f64 = 0;
  for (; rows > 0; rows--, x += xRow, dx += dxRow, targets += targetsRow, weights += 4) {
    const weight = load<f32>(weights);
    const total = softmaxRow(n, x, dx);
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      const target = load<f32>(targets + at);
      if (target > 0) loss += <f64>(weight * target) * <f64>(log1(target) + total - load<f32>(x + at));
      store<f32>(dx + at, weight * (load<f32>(dx + at) - target));
    }
  }
  return loss;
}

/** Numbers of `elementLoss`. */
export const enum Loss {
  squared,
  absolute,
  /** Huber 1964: squared within ±delta, absolute beyond. */
  huber,
  /** Binary cross-entropy of σ(x). */
  logistic,
}

/** Σ weight·loss(x − target) over all elements; dx ← weight·loss'. */
export function elementLoss(
  kind: i32,
  delta: f32,
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  targets: usize,
  targetsRow: usize,
  weights: usize,
  dx: usize,
  dxRow: usize,
): f64 {
  let loss: f64 = 0;
  for (; rows > 0; rows--, x += xRow, dx += dxRow, targets += targetsRow, weights += 4) {
    const weight = load<f32>(weights);
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      const value = load<f32>(x + at);
      const target = load<f32>(targets + at);
      const e = value - target;
      let slope: f32 = 0;
      let term: f32 = 0;
      if (kind == Loss.squared || (kind == Loss.huber && abs(e) <= delta)) {
        const factor: f32 = kind == Loss.huber ? 0.5 : 1;
        term = factor * e * e;
        slope = 2 * factor * e;
      } else if (kind == Loss.logistic) {
        // log(1 + exp(−|x|)) + max(x, 0) − target·x
        const small = exp1(-abs(value));
        term = log1(1 + small) + max(value, 0) - target * value;
        slope = (value >= 0 ? 1 / (1 + small) : small / (1 + small)) - target;
      } else {
        const scale: f32 = kind == Loss.huber ? delta : 1;
        term = kind == Loss.huber ? delta * (abs(e) - 0.5 * delta) : abs(e);
        slope = e > 0 ? scale : e < 0 ? -scale : 0;
      }
      loss += <f64>(weight * term);
      store<f32>(dx + at, weight * slope);
    }
  }
  return loss;
}
