import { roundTo } from '@gatefold/runtime';
import { largestMagnitude } from './groups.ts';
import { withSigns } from './log.ts';
import { nearestLevel } from './nearest.ts';

/** Levels that no weights choose; these schemes fit the scales alone. */
const tables = {
  /** Odd multiples, −(2^bits − 1) … 2^bits − 1: as many below zero as above it, and none wasted on it. */
  balanced: (bits: number) => Array.from({ length: 2 ** bits }, (_, i) => 2 * i + 1 - 2 ** bits),
  /** 2^2 codes, of which the last stays unused. */
  ternary: () => withSigns([1], 2),
  binary: () => [-1, 1],
} as const;

export type FixedScheme = keyof typeof tables;

export const isFixedScheme = (scheme: string): scheme is FixedScheme => scheme in tables;

export const fixedLevels = (scheme: FixedScheme, bits: number): number[] => tables[scheme](bits);

/** Shares of the largest magnitude that the highest level is tried at. */
const shares = Array.from({ length: 48 }, (_, i) => 1 - i * 0.02);
const refinements = 8;

/**
 * The scale with which the levels lie nearest to the values: least squares for the codes that the scale gives, in turns (Lloyd 1982),
 * from the best of several starts.
 */
export function fitScale(values: Float32Array, table: readonly number[], type: 'f32' | 'f16'): number {
  const code = nearestLevel(table);
  const top = Math.max(...table);
  const largest = largestMagnitude(values);
  if (largest === 0) return 0;
  const fit = (scale: number): { scale: number; gain: number } => {
    let cross = 0;
    let power = 0;
    for (const value of values) {
      const level = table[code(value / scale)]!;
      cross += level * value;
      power += level * level;
    }
    // What the squared error is smaller by than with all levels zero.
    return power > 0 ? { scale: cross / power, gain: (cross * cross) / power } : { scale, gain: 0 };
  };
  let best = { scale: largest / top, gain: -1 };
  for (const share of shares) {
    const found = fit((largest * share) / top);
    if (found.gain > best.gain) best = found;
  }
  for (let i = 0; i < refinements; i++) best = fit(best.scale);
  return roundTo(type, Float32Array.of(best.scale))[0]!;
}
