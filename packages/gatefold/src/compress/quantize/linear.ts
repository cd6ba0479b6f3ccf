import { type AffineEncoding, roundTo } from '@gatefold/runtime';
import { extremes, groupsOf, largestMagnitude, type Matrix } from './groups.ts';

export interface LinearOptions {
  readonly bits: number;
  readonly rowsPerGroup: number;
  readonly scaleType: 'f32' | 'f16';
  /**
   * `floor`: q = ⌊(r − r_min)/(r_max − r_min)·q_max⌋, decoded to the middle of its cell, r_min + (q + ½)·step.
   * `nearest`: the code whose value is nearest.
   */
  readonly rounding: 'nearest' | 'floor';
  /** Symmetric codes around zero (nearest only), or a range from the smallest to the largest value. */
  readonly symmetric: boolean;
  /** Range by extremes, or the one with the least squared error. */
  readonly clip: 'max' | 'mse';
}

/** One group's line from codes to values: value = code·scale + offset, codes −2^(bits−1) … 2^(bits−1) − 1. */
interface Line {
  scale: number;
  offset: number;
}

/** Encodes a matrix with evenly spaced levels. Scales are rounded to their stored type before codes are chosen. */
export function encodeLinear(matrix: Matrix, options: LinearOptions): AffineEncoding {
  const { bits, scaleType, rowsPerGroup } = options;
  const half = 2 ** (bits - 1);
  const groups = groupsOf(matrix, rowsPerGroup);
  const codes = bits <= 8 ? new Int8Array(matrix.values.length) : new Int16Array(matrix.values.length);
  const scales = new Float32Array(groups.length);
  const offsets = new Float32Array(groups.length);
  let at = 0;
  groups.forEach((group, g) => {
    const line = options.rounding === 'floor' ? floorLine(group, bits) : nearestLine(group, options);
    scales[g] = roundTo(scaleType, Float32Array.of(line.scale))[0]!;
    offsets[g] = roundTo(scaleType, Float32Array.of(line.offset))[0]!;
    if (options.rounding === 'floor') {
      const [low, high] = extremes(group);
      const top = 2 ** bits - 1;
      for (const r of group) codes[at++] = (high > low ? Math.floor(((r - low) / (high - low)) * top) : 0) - half;
    } else {
      const scale = scales[g]!;
      const offset = options.symmetric ? 0 : offsets[g]!;
      for (const r of group) codes[at++] = nearestCode(r, scale, offset, half);
    }
  });
  const encoding: AffineEncoding = { kind: 'affine', bits, codes, scaleType, rowsPerGroup, scales };
  return options.symmetric && options.rounding === 'nearest' ? encoding : { ...encoding, offsets };
}

/** step = (r_max − r_min)/q_max; the middle of cell q is r_min + (q + ½)·step. */
function floorLine(group: Float32Array, bits: number): Line {
  const [low, high] = extremes(group);
  const step = (high - low) / (2 ** bits - 1);
  return { scale: step, offset: low + (2 ** (bits - 1) + 0.5) * step };
}

function nearestCode(r: number, scale: number, offset: number, half: number): number {
  if (scale === 0) return 0;
  const code = Math.round((r - offset) / scale);
  return Math.min(half - 1, Math.max(-half, code));
}

function nearestLine(group: Float32Array, { bits, symmetric, clip }: LinearOptions): Line {
  const half = 2 ** (bits - 1);
  const candidates = symmetric ? symmetricLines(group, half, clip) : asymmetricLines(group, bits, clip);
  let best = candidates[0]!;
  let least = Number.POSITIVE_INFINITY;
  if (candidates.length === 1) return best;
  for (const line of candidates) {
    let error = 0;
    for (const r of group) {
      const d = nearestCode(r, line.scale, line.offset, half) * line.scale + line.offset - r;
      error += d * d;
    }
    if (error < least) {
      least = error;
      best = line;
    }
  }
  return best;
}

/** Shares of the full range to try: at few bits, cutting the tails often costs less than coarse steps. */
const shares = Array.from({ length: 33 }, (_, i) => 1 - i * 0.02);

/**
 * There is one code more below zero than above it. At few bits that code matters, so the scale may be negative and
 * give the side with the larger values the larger half.
 */
function symmetricLines(group: Float32Array, half: number, clip: 'max' | 'mse'): Line[] {
  const largest = largestMagnitude(group);
  if (clip === 'max' || half === 1) return [{ scale: largest / Math.max(1, half - 1), offset: 0 }];
  return shares.flatMap((share) =>
    [half - 1, half - 0.5, half, -half, -(half - 0.5)].map((codes) => ({
      scale: (largest * share) / codes,
      offset: 0,
    })),
  );
}

function asymmetricLines(group: Float32Array, bits: number, clip: 'max' | 'mse'): Line[] {
  const [low, high] = extremes(group);
  const top = 2 ** bits - 1;
  const line = (from: number, to: number): Line => {
    const scale = (to - from) / top;
    return { scale, offset: from + 2 ** (bits - 1) * scale };
  };
  if (clip === 'max') return [line(low, high)];
  const cuts = shares.filter((_, i) => i % 3 === 0);
  return cuts.flatMap((a) => cuts.map((b) => line(low * a, high * b)));
}
