/**
 * Second moments of an operand, Σ x·xᵀ, prepared for optimal brain surgery (Hassibi & Stork 1993): the order in which columns are
 * dealt with and, in that order, the upper Cholesky factor of the damped inverse.
 */
export interface Moments {
  readonly order: readonly number[];
  readonly factor: Float64Array;
}

/**
 * `order`: those that carry most first (default), or as they stand.
 * @returns undefined where the moments are not positive definite even when damped (an operand that is always zero)
 */
export function prepareMoments(gram: Float64Array, size: number, inOrder = false): Moments | undefined {
  let trace = 0;
  for (let i = 0; i < size; i++) trace += gram[i * size + i]!;
  if (!(trace > 0)) return undefined;
  const damping = (0.01 * trace) / size;
  const order = Array.from({ length: size }, (_, i) => i);
  if (!inOrder) order.sort((a, b) => gram[b * size + b]! - gram[a * size + a]! || a - b);
  const damped = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) damped[i * size + j] = gram[order[i]! * size + order[j]!]! + (i === j ? damping : 0);
  }
  const lower = cholesky(damped, size);
  const inverse = lower && invert(lower, size);
  const factor = inverse && cholesky(inverse, size);
  return factor && { order, factor: transpose(factor, size) };
}

/** Lower triangular L with L·Lᵀ = a; undefined where a is not positive definite. */
function cholesky(a: Float64Array, n: number): Float64Array | undefined {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= out[i * n + k]! * out[j * n + k]!;
      if (i === j && !(sum > 0)) return undefined;
      out[i * n + j] = i === j ? Math.sqrt(sum) : sum / out[j * n + j]!;
    }
  }
  return out;
}

/** (L·Lᵀ)⁻¹ from L, column by column. */
function invert(lower: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  const column = new Float64Array(n);
  for (let c = 0; c < n; c++) {
    for (let i = 0; i < n; i++) {
      let sum = i === c ? 1 : 0;
      for (let k = 0; k < i; k++) sum -= lower[i * n + k]! * column[k]!;
      column[i] = sum / lower[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = column[i]!;
      for (let k = i + 1; k < n; k++) sum -= lower[k * n + i]! * column[k]!;
      column[i] = sum / lower[i * n + i]!;
    }
    for (let i = 0; i < n; i++) out[i * n + c] = column[i]!;
  }
  return out;
}

function transpose(a: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[j * n + i] = a[i * n + j]!;
  return out;
}
