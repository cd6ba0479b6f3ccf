import type { SimpleEncoding } from '@gatefold/runtime';
import { nearestLevel } from './nearest.ts';

/**
 * Second moments of an operand, Σ x·xᵀ, prepared for compensation: the order in which columns are coded (those that carry
 * most first) and, in that order, the upper Cholesky factor of the damped inverse.
 */
export interface Moments {
  readonly order: readonly number[];
  readonly factor: Float64Array;
}

/** @returns undefined where the moments are not positive definite even when damped (an operand that is always zero) */
export function prepareMoments(gram: Float64Array, size: number): Moments | undefined {
  let trace = 0;
  for (let i = 0; i < size; i++) trace += gram[i * size + i]!;
  if (!(trace > 0)) return undefined;
  const damping = (0.01 * trace) / size;
  const order = Array.from({ length: size }, (_, i) => i).sort(
    (a, b) => gram[b * size + b]! - gram[a * size + a]! || a - b,
  );
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
export function cholesky(a: Float64Array, n: number): Float64Array | undefined {
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

/** The code whose value is nearest, and that value, for one row of an encoding. */
function coderOf(encoding: SimpleEncoding, row: number): ((w: number) => [code: number, value: number]) | undefined {
  if (encoding.kind === 'dense') return undefined;
  const scale = encoding.scales[Math.floor(row / encoding.rowsPerGroup)]!;
  if (encoding.kind === 'affine') {
    const half = 2 ** (encoding.bits - 1);
    const offset = encoding.offsets?.[Math.floor(row / encoding.rowsPerGroup)] ?? 0;
    return (w) => {
      const code = scale === 0 ? 0 : Math.min(half - 1, Math.max(-half, Math.round((w - offset) / scale)));
      return [code, code * scale + offset];
    };
  }
  const from = Math.floor(row / encoding.rowsPerTable) << encoding.bits;
  const table = Array.from(encoding.levels.subarray(from, from + (1 << encoding.bits)));
  const nearest = nearestLevel(table);
  return (w) => {
    const code = scale === 0 ? 0 : nearest(w / scale);
    return [code, table[code]! * scale];
  };
}

/**
 * Chooses codes column by column, handing each column's error on to the columns that are still to come, so that W·x
 * changes least on the data: optimal brain surgeon in the order of Frantar et al. 2022 ("GPTQ"), with the recurrent
 * matrix's operand h as its data. Scales and levels stay as they were chosen.
 */
export function compensate(
  encoding: SimpleEncoding,
  values: Float32Array,
  columns: number,
  { order, factor }: Moments,
): SimpleEncoding {
  if (encoding.kind === 'dense') return encoding;
  const codes = encoding.codes.slice();
  const w = new Float64Array(columns);
  for (let row = 0; row < values.length / columns; row++) {
    const coder = coderOf(encoding, row)!;
    order.forEach((column, i) => {
      w[i] = values[row * columns + column]!;
    });
    for (let i = 0; i < columns; i++) {
      const [code, value] = coder(w[i]!);
      codes[row * columns + order[i]!] = code;
      const error = (w[i]! - value) / factor[i * columns + i]!;
      for (let k = i + 1; k < columns; k++) w[k] = w[k]! - error * factor[i * columns + k]!;
    }
  }
  return { ...encoding, codes } as SimpleEncoding;
}
