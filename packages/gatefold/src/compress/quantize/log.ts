import { nearestLevel } from './nearest.ts';

// Codes of the logarithmic schemes: 0 is an exact zero; 1 … n are the positive magnitudes from small to large, then n
// negative ones; a last code may stay unused (2^bits is even, zero and ± pairs are odd in number).

/** Magnitudes that fit beside a sign and a zero. */
function magnitudesOf(bits: number): number {
  return Math.max(1, 2 ** (bits - 1) - 1);
}

/** A zero, the magnitudes, and their negatives; codes that are left mean zero. */
export function withSigns(magnitudes: readonly number[], bits: number): number[] {
  const table = [0, ...magnitudes, ...magnitudes.map((m) => -m)];
  while (table.length < 2 ** bits) table.push(0);
  return table.slice(0, 2 ** bits);
}

/** Smallest non-zero and largest magnitude. */
function logRange(values: Float64Array): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const value of values) {
    const magnitude = Math.abs(value);
    if (magnitude > 0) low = Math.min(low, magnitude);
    high = Math.max(high, magnitude);
  }
  return [Math.min(low, high), high];
}

/**
 * Codes by q = ⌊(log|r| − log|r_min|)/(log|r_max| − log|r_min|)·q_max⌋ with a sign and an exact zero, over the table's
 * smallest non-zero and largest magnitude; q_max + 1 magnitudes.
 */
export function floorLogCode(values: Float64Array, bits: number): (value: number) => number {
  const [low, high] = logRange(values);
  const n = magnitudesOf(bits);
  const span = Math.log(high) - Math.log(low);
  return (value) => {
    if (value === 0) return 0;
    const q = span > 0 ? Math.floor(((Math.log(Math.abs(value)) - Math.log(low)) / span) * (n - 1)) : 0;
    return 1 + Math.min(n - 1, Math.max(0, q)) + (value < 0 ? n : 0);
  };
}

/** The middle of each cell of {@link floorLogCode} on the logarithmic scale; the last cell is the largest value itself. */
export function floorLogLevels(values: Float64Array, bits: number): number[] {
  const [low, high] = logRange(values);
  const n = magnitudesOf(bits);
  const step = n > 1 ? (Math.log(high) - Math.log(low)) / (n - 1) : 0;
  const magnitudes = Array.from({ length: n }, (_, q) => Math.min(high, low * Math.exp((q + 0.5) * step)));
  return withSigns(high === 0 ? magnitudes.fill(0) : magnitudes, bits);
}

/** Geometric levels from `unit` down by a ratio chosen for the least weighted squared error; nearest codes. */
export function nearestLogLevels(values: Float64Array, weights: Float64Array, bits: number, unit: number): number[] {
  const n = magnitudesOf(bits);
  let best: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  // A subset is enough to choose one number.
  const stride = Math.max(1, Math.floor(values.length / 4096));
  for (let percent = 30; percent <= 95; percent += 1) {
    for (const top of [1, 0.9, 0.8, 0.7]) {
      const magnitudes = Array.from({ length: n }, (_, k) => unit * top * (percent / 100) ** (n - 1 - k));
      const table = withSigns(magnitudes, bits);
      const code = nearestLevel(table);
      let error = 0;
      for (let i = 0; i < values.length; i += stride) {
        const d = table[code(values[i]!)]! - values[i]!;
        error += weights[i]! * d * d;
      }
      if (error < least) {
        least = error;
        best = table;
      }
    }
  }
  return best;
}

/** unit, unit/2, unit/4, … with signs and zero: products become shifts on hardware that has none. */
export function powerLevels(bits: number, unit: number): number[] {
  const n = magnitudesOf(bits);
  return withSigns(
    Array.from({ length: n }, (_, k) => unit * 2 ** (k - n + 1)),
    bits,
  );
}
