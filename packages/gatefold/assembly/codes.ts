import { largest } from '../../runtime/assembly/quantize';

// What integer codes make of weights and operands, in float32: the values that the engines compute with.

/** Rounds half to even, as the engines do; |v| < 2^22. */
@inline
function round(v: f32): f32 {
  return v + 12582912 - 12582912;
}

/** What stands for v, in units of a scale: a whole number, or the nearest of the levels, which ascend. */
@inline
function levelOf(v: f32, low: f32, high: f32, levels: usize, count: i32): f32 {
  if (count == 0) return round(min(max(v, low), high));
  const last = levels + (<usize>(count - 1) << 2);
  while (levels < last && v + v > load<f32>(levels) + load<f32>(levels, 4)) levels += 4;
  return load<f32>(levels);
}

/**
 * y ← scale·(what stands for w/scale): clamp(round(w/scale), low, high), or with a `table` the nearest of `count` levels. One scale for
 * `rowsPerGroup` rows, one row of the table for `rowsPerTable`.
 */
export function fakeQuantize(
  rows: i32,
  n: i32,
  w: usize,
  scales: usize,
  rowsPerGroup: i32,
  low: f32,
  high: f32,
  table: usize,
  count: i32,
  rowsPerTable: i32,
  y: usize,
): void {
  for (let r = 0; r < rows; r++) {
    const levels = table + (<usize>(r / rowsPerTable * count) << 2);
    const scale = load<f32>(scales + (<usize>(r / rowsPerGroup) << 2));
    const inverse: f32 = 1 / scale;
    for (const end = w + (<usize>n << 2); w < end; w += 4, y += 4) {
      store<f32>(y, scale * levelOf(load<f32>(w) * inverse, low, high, levels, count));
    }
  }
}

/**
 * Learned step size (Esser et al. 2020): dw ← dw + dy where w/scale lies within low … high; dt ← dt + Σ dy·∂y/∂t with
 * scale = exp(t)·constant, of each group.
 */
export function fakeQuantizeGradient(
  rows: i32,
  n: i32,
  w: usize,
  scales: usize,
  rowsPerGroup: i32,
  low: f32,
  high: f32,
  table: usize,
  count: i32,
  rowsPerTable: i32,
  dy: usize,
  dw: usize,
  dt: usize,
): void {
  for (let r = 0; r < rows; r++) {
    const levels = table + (<usize>(r / rowsPerTable * count) << 2);
    const group = <usize>(r / rowsPerGroup) << 2;
    const scale = load<f32>(scales + group);
    const inverse: f32 = 1 / scale;
    let sum: f32 = 0;
    for (const end = w + (<usize>n << 2); w < end; w += 4, dy += 4, dw += 4) {
      const v = load<f32>(w) * inverse;
      const d = load<f32>(dy);
      const level = levelOf(v, low, high, levels, count);
      if (v > low && v < high) {
        sum += d * (level - v);
        store<f32>(dw, load<f32>(dw) + d);
      } else sum += d * level;
    }
    store<f32>(dt + group, load<f32>(dt + group) + sum * scale);
  }
}

/**
 * y ← the values of x's codes: codes run from −zero to top − zero; `scale` 0 takes each row's from its largest magnitude,
 * which becomes ±limit.
 */
export function codeRows(
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  y: usize,
  yRow: usize,
  lowest: f32,
  highest: f32,
  limit: f32,
  fixed: f32,
): void {
  for (; rows > 0; rows--, x += xRow, y += yRow) {
    let scale = fixed;
    let inverse: f32 = 1 / fixed;
    if (fixed == 0) {
      const m = largest(x, n);
      const silent = m < 7.888609052210118e-31;
      scale = silent ? 0 : m / limit;
      inverse = silent ? 0 : limit / m;
    }
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      store<f32>(y + at, scale * round(min(max(load<f32>(x + at) * inverse, lowest), highest)));
    }
  }
}
