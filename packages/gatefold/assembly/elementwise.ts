import { applyFunction } from '../../runtime/assembly/functions';
import { lanesBefore } from '../../runtime/assembly/rows';
import { derivative4 } from './derivatives';

// Matrices are an address, and bytes from row to row; `n` floats of each row count. Four lanes at a time; the last group
// of a row lane by lane, because rows of views must not be written past their end.

/** Lanes i … of x, zeros past the n-th. */
@inline
function loadLanes(x: usize, i: i32, n: i32): v128 {
  const at = x + (<usize>i << 2);
  if (i + 4 <= n) return v128.load(at);
  let v = f32x4(load<f32>(at), 0, 0, 0);
  if (i + 1 < n) v = f32x4.replace_lane(v, 1, load<f32>(at, 4));
  if (i + 2 < n) v = f32x4.replace_lane(v, 2, load<f32>(at, 8));
  return v;
}

@inline
function storeLanes(y: usize, i: i32, n: i32, v: v128): void {
  const at = y + (<usize>i << 2);
  if (i + 4 <= n) {
    v128.store(at, v);
    return;
  }
  store<f32>(at, f32x4.extract_lane(v, 0));
  if (i + 1 < n) store<f32>(at, f32x4.extract_lane(v, 1), 4);
  if (i + 2 < n) store<f32>(at, f32x4.extract_lane(v, 2), 8);
}

export function fill(rows: i32, n: i32, y: usize, yRow: usize, value: f32): void {
  const v = f32x4.splat(value);
  for (; rows > 0; rows--, y += yRow) for (let i = 0; i < n; i += 4) storeLanes(y, i, n, v);
}

/** y ← [y +] alpha·x */
export function scaled(rows: i32, n: i32, alpha: f32, x: usize, xRow: usize, y: usize, yRow: usize, add: i32): void {
  const a = f32x4.splat(alpha);
  for (; rows > 0; rows--, x += xRow, y += yRow) {
    for (let i = 0; i < n; i += 4) {
      const v = f32x4.mul(a, loadLanes(x, i, n));
      storeLanes(y, i, n, add ? f32x4.add(loadLanes(y, i, n), v) : v);
    }
  }
}

/** Numbers of `binary`. */
export const enum Binary {
  add,
  subtract,
  multiply,
  divide,
  maximum,
  minimum,
  /** 1 where a ≥ b, else 0: the gradient of the maximum. */
  atLeast,
}

@inline
function combine(kind: i32, a: v128, b: v128): v128 {
  switch (kind) {
    case Binary.add:
      return f32x4.add(a, b);
    case Binary.subtract:
      return f32x4.sub(a, b);
    case Binary.multiply:
      return f32x4.mul(a, b);
    case Binary.divide:
      return f32x4.div(a, b);
    case Binary.maximum:
      return f32x4.pmax(a, b);
    case Binary.minimum:
      return f32x4.pmin(a, b);
    default:
      return v128.and(f32x4.ge(a, b), f32x4.splat(1));
  }
}

/** y ← [y +] a ∘ b; a row step of 0 repeats one row. */
export function binary(
  kind: i32,
  rows: i32,
  n: i32,
  a: usize,
  aRow: usize,
  b: usize,
  bRow: usize,
  y: usize,
  yRow: usize,
  add: i32,
): void {
  for (; rows > 0; rows--, a += aRow, b += bRow, y += yRow) {
    for (let i = 0; i < n; i += 4) {
      let v = combine(kind, loadLanes(a, i, n), loadLanes(b, i, n));
      if (add) v = f32x4.add(loadLanes(y, i, n), v);
      storeLanes(y, i, n, v);
    }
  }
}

/** y ← f(x) */
export function unary(
  kind: i32,
  p0: f32,
  p1: f32,
  p2: f32,
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  y: usize,
  yRow: usize,
): void {
  for (; rows > 0; rows--, x += xRow, y += yRow) {
    for (let i = 0; i < n; i += 4) storeLanes(y, i, n, applyFunction(kind, loadLanes(x, i, n), p0, p1, p2));
  }
}

/** dx ← dx + dy·f'(x), with y = f(x) at hand. */
export function unaryGradient(
  kind: i32,
  p0: f32,
  p1: f32,
  p2: f32,
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  y: usize,
  yRow: usize,
  dy: usize,
  dyRow: usize,
  dx: usize,
  dxRow: usize,
): void {
  for (; rows > 0; rows--, x += xRow, y += yRow, dy += dyRow, dx += dxRow) {
    for (let i = 0; i < n; i += 4) {
      const slope = derivative4(kind, loadLanes(x, i, n), loadLanes(y, i, n), p0, p1, p2);
      // What lies past the end may have no derivative.
      const step = v128.and(f32x4.mul(loadLanes(dy, i, n), slope), lanesBefore(n - i));
      storeLanes(dx, i, n, f32x4.add(loadLanes(dx, i, n), step));
    }
  }
}

/** sum [n] ← sum + Σ over rows of a⊙b, or of a where b is 0. */
export function sumRows(rows: i32, n: i32, a: usize, aRow: usize, b: usize, bRow: usize, sum: usize): void {
  for (; rows > 0; rows--, a += aRow, b += bRow) {
    for (let i = 0; i < n; i += 4) {
      let v = loadLanes(a, i, n);
      if (b) v = f32x4.mul(v, loadLanes(b, i, n));
      storeLanes(sum, i, n, f32x4.add(loadLanes(sum, i, n), v));
    }
  }
}

/** sum [rows] ← sum + Σ over columns of a⊙b. */
export function sumColumns(rows: i32, n: i32, a: usize, aRow: usize, b: usize, bRow: usize, sum: usize, step: usize): void {
  for (; rows > 0; rows--, a += aRow, b += bRow, sum += step) {
    let v = f32x4.splat(0);
    for (let i = 0; i < n; i += 4) v = f32x4.add(v, f32x4.mul(loadLanes(a, i, n), loadLanes(b, i, n)));
    const pair = f32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    store<f32>(sum, load<f32>(sum) + f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1));
  }
}

/** y ← [y +] x·(row's factor) */
export function scaleRows(
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  factor: usize,
  factorStep: usize,
  y: usize,
  yRow: usize,
  add: i32,
): void {
  for (; rows > 0; rows--, x += xRow, y += yRow, factor += factorStep) {
    scaled(1, n, load<f32>(factor), x, 0, y, 0, add);
  }
}

/** Σ x², in float64. */
export function sumSquares(rows: i32, n: i32, x: usize, xRow: usize): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; rows > 0; rows--, x += xRow) {
    for (let i = 0; i < n; i += 4) {
      const v = loadLanes(x, i, n);
      const a = f64x2.promote_low_f32x4(v);
      const b = f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
    }
  }
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}
