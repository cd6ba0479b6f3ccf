import { copyFloats } from '../../runtime/assembly/rows';

// Rows chosen by number, and normalization of each row.

/** y[r] ← table[ids[r]]; an id below zero gives zeros. */
export function gather(rows: i32, n: i32, table: usize, tableRow: usize, ids: usize, y: usize, yRow: usize): void {
  for (; rows > 0; rows--, ids += 4, y += yRow) {
    const id = <i32>load<f32>(ids);
    if (id >= 0) copyFloats(y, table + <usize>id * tableRow, n);
    else for (let i = 0; i < n; i++) store<f32>(y + (<usize>i << 2), 0);
  }
}

/** table[ids[r]] ← table[ids[r]] + y[r], where the id is not below zero. */
export function scatterAdd(rows: i32, n: i32, y: usize, yRow: usize, ids: usize, table: usize, tableRow: usize): void {
  for (; rows > 0; rows--, ids += 4, y += yRow) {
    const id = <i32>load<f32>(ids);
    if (id < 0) continue;
    const row = table + <usize>id * tableRow;
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      store<f32>(row + at, load<f32>(row + at) + load<f32>(y + at));
    }
  }
}

/** Numbers of `normalize`, as normalizationKinds of the runtime. */
export const enum Normalization {
  layer,
  rms,
  unit,
}

/** y ← (x − mean)·inverse of each row; inverse [rows] is kept for the gradient. */
export function normalize(
  kind: i32,
  epsilon: f32,
  rows: i32,
  n: i32,
  x: usize,
  xRow: usize,
  y: usize,
  yRow: usize,
  inverse: usize,
): void {
  for (; rows > 0; rows--, x += xRow, y += yRow, inverse += 4) {
    let mean: f32 = 0;
    if (kind == Normalization.layer) {
      for (let i = 0; i < n; i++) mean += load<f32>(x + (<usize>i << 2));
      mean /= <f32>n;
    }
    let sum: f32 = 0;
    for (let i = 0; i < n; i++) {
      const d = load<f32>(x + (<usize>i << 2)) - mean;
      sum += d * d;
    }
    const s: f32 =
      kind == Normalization.unit ? 1 / sqrt<f32>(max(sum, epsilon)) : 1 / sqrt<f32>(sum / <f32>n + epsilon);
    store<f32>(inverse, s);
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      store<f32>(y + at, (load<f32>(x + at) - mean) * s);
    }
  }
}

/** dx ← dx + the gradient through `normalize`; y is its result. */
export function normalizeGradient(
  kind: i32,
  epsilon: f32,
  rows: i32,
  n: i32,
  y: usize,
  yRow: usize,
  inverse: usize,
  dy: usize,
  dyRow: usize,
  dx: usize,
  dxRow: usize,
): void {
  for (; rows > 0; rows--, y += yRow, dy += dyRow, dx += dxRow, inverse += 4) {
    const s = load<f32>(inverse);
    let mean: f32 = 0;
    let dot: f32 = 0;
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      mean += load<f32>(dy + at);
      dot += load<f32>(dy + at) * load<f32>(y + at);
    }
    if (kind == Normalization.unit) {
      // Where the sum of squares is below epsilon the factor is constant.
      if (s * s * epsilon >= 0.999999) dot = 0;
      mean = 0;
    } else {
      dot /= <f32>n;
      mean = kind == Normalization.layer ? mean / <f32>n : 0;
    }
    for (let i = 0; i < n; i++) {
      const at = <usize>i << 2;
      store<f32>(dx + at, load<f32>(dx + at) + s * (load<f32>(dy + at) - mean - load<f32>(y + at) * dot));
    }
  }
}
