import { exp1, log1, softmaxRow } from './losses';
import { exp4 } from '../../runtime/assembly/activations';

// Connectionist temporal classification (Graves et al. 2006). Sums of path probabilities are kept as logarithms in float64,
// their differences go through the float32 exponential: however small a path is, what is added to it keeps its digits.

const never: f64 = -Infinity;

/** log(eᵃ + eᵇ + eᶜ) */
@inline
function logSum3(a: f64, b: f64, c: f64): f64 {
  const top = max(a, max(b, c));
  if (top == never) return never;
  let v = f32x4.splat(<f32>(a - top));
  v = f32x4.replace_lane(v, 1, <f32>(b - top));
  v = f32x4.replace_lane(v, 2, <f32>(c - top));
  const e = exp4(v);
  return top + <f64>log1(f32x4.extract_lane(e, 0) + f32x4.extract_lane(e, 1) + f32x4.extract_lane(e, 2));
}

@inline
function at64(row: usize, s: i32): f64 {
  return s < 0 ? never : load<f64>(row + (<usize>s << 3));
}

/** Whether a path may come to state s from two states before: the blank between is left out. */
@inline
function skips(states: usize, s: i32, blank: i32): bool {
  const label = load<i32>(states + (<usize>s << 2));
  return s > 1 && label != blank && label != load<i32>(states + (<usize>(s - 2) << 2));
}

/**
 * Σ weight·−log p(labels); rows of x and dx are steps × sequences. dx ← weight·(softmax(x) − p(class at this step | labels)).
 * `work` holds, of one sequence with S = 2·labels + 1 states: α [steps][S] and two rows of β as f64, the states' classes
 * [S] as i32, log Σ exp(x) [steps] as f32.
 */
export function ctc(
  sequences: i32,
  longest: i32,
  n: i32,
  x: usize,
  xRow: usize,
  steps: usize,
  counts: usize,
  weights: usize,
  labels: usize,
  labelsRow: usize,
  blank: i32,
  dx: usize,
  dxRow: usize,
  work: usize,
): f64 {
  let loss: f64 = 0;
  for (let b = 0; b < sequences; b++) {
    const at = <usize>b << 2;
    loss += ctcOne(
      <i32>load<f32>(steps + at),
      longest,
      n,
      x + <usize>b * xRow,
      xRow * <usize>sequences,
      labels + <usize>b * labelsRow,
      <i32>load<f32>(counts + at),
      blank,
      load<f32>(weights + at),
      dx + <usize>b * dxRow,
      dxRow * <usize>sequences,
      work,
    );
  }
  return loss;
}

function ctcOne(
  steps: i32,
  longest: i32,
  n: i32,
  x: usize,
  xStep: usize,
  labels: usize,
  count: i32,
  blank: i32,
  weight: f32,
  dx: usize,
  dxStep: usize,
  work: usize,
): f64 {
  const S = 2 * count + 1;
  const row = <usize>S << 3;
  const alpha = work;
  let beta = alpha + row * <usize>longest;
  let next = beta + row;
  const states = next + row;
  const totals = states + (<usize>S << 2);
  for (let s = 0; s < S; s++) {
    const label = s & 1 ? <i32>load<f32>(labels + (<usize>(s >> 1) << 2)) : blank;
    store<i32>(states + (<usize>s << 2), label);
  }
  let p = dx;
  for (let t = 0; t < steps; t++, x += xStep, p += dxStep) {
    const total = softmaxRow(n, x, p);
    store<f32>(totals + (<usize>t << 2), total);
    const here = alpha + row * <usize>t;
    const before = here - row;
    for (let s = 0; s < S; s++) {
      let sum: f64 = s < 2 ? 0 : never;
      if (t > 0) sum = logSum3(at64(before, s), at64(before, s - 1), skips(states, s, blank) ? at64(before, s - 2) : never);
      store<f64>(here + (<usize>s << 3), sum + logOf(x, states, s, total));
    }
  }
  for (let t = steps; t < longest; t++, p += dxStep) clear(p, n);
  const end = alpha + row * <usize>(steps - 1);
  const whole = logSum3(at64(end, S - 1), at64(end, S - 2), never);
  if (whole == never) {
    for (let t = 0; t < steps; t++) clear(dx + dxStep * <usize>t, n);
    return <f64>weight * Infinity;
  }
  for (let s = 0; s < S; s++) store<f64>(beta + (<usize>s << 3), s >= S - 2 ? 0 : never);
  for (let t = steps - 1; t >= 0; t--) {
    x -= xStep;
    const here = alpha + row * <usize>t;
    const total = load<f32>(totals + (<usize>t << 2));
    p = dx + dxStep * <usize>t;
    for (let s = 0; s < S; s++) {
      const place = <usize>s << 3;
      const d = p + (<usize>load<i32>(states + (<usize>s << 2)) << 2);
      store<f32>(d, load<f32>(d) - exp1(<f32>(load<f64>(here + place) + load<f64>(beta + place) - whole)));
      // β with what this step says of the state: a path that comes from the step before has it behind it.
      store<f64>(beta + place, load<f64>(beta + place) + logOf(x, states, s, total));
    }
    for (let s = 0; s < S; s++) {
      const one = s + 1 < S ? at64(beta, s + 1) : never;
      const two = s + 2 < S && skips(states, s + 2, blank) ? at64(beta, s + 2) : never;
      store<f64>(next + (<usize>s << 3), logSum3(at64(beta, s), one, two));
    }
    const swap = beta;
    beta = next;
    next = swap;
    for (let i = 0; i < n; i++) {
      const d = p + (<usize>i << 2);
      store<f32>(d, weight * load<f32>(d));
    }
  }
  return -<f64>weight * whole;
}

/** log p of the state's class at the step of x. */
@inline
function logOf(x: usize, states: usize, s: i32, total: f32): f64 {
  return <f64>load<f32>(x + (<usize>load<i32>(states + (<usize>s << 2)) << 2)) - <f64>total;
}

function clear(row: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f32>(row + (<usize>i << 2), 0);
}
