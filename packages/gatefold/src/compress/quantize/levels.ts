import { fail, type LevelsEncoding, roundTo } from '@gatefold/runtime';
import { fitCodebook } from './codebook.ts';
import { fitScale, fixedLevels, isFixedScheme } from './fixed.ts';
import { groupsOf, largestMagnitude, type Matrix } from './groups.ts';
import { floorLogCode, floorLogLevels, nearestLogLevels, powerLevels } from './log.ts';
import { nearestLevel } from './nearest.ts';
import type { LevelScheme } from './options.ts';

export interface LevelsOptions {
  readonly scheme: LevelScheme;
  readonly bits: number;
  readonly rowsPerGroup: number;
  readonly scaleType: 'f32' | 'f16';
  readonly rounding: 'nearest' | 'floor';
}

/**
 * Encodes a matrix with a table of levels per gate, in units of each group's largest magnitude, or with a fixed table, in units that
 * fit it best. Up to 4 bits the levels are whole numbers in −127 … 127, because integer kernels look them up.
 * @throws OPTION_INVALID for removed weights where no level is 0
 */
export function encodeLevels(matrix: Matrix, options: LevelsOptions): LevelsEncoding {
  const { scheme, bits, scaleType, rowsPerGroup, rounding } = options;
  const rowsPerTable = rowsPerGroup > matrix.rowsPerGate ? matrix.rows : matrix.rowsPerGate;
  const unit = bits > 4 ? 1 : scheme === 'pow2' ? 64 : 127;
  const groups = groupsOf(matrix, rowsPerGroup);
  const fixed = isFixedScheme(scheme) ? fixedLevels(scheme, bits) : undefined;
  if (fixed && matrix.needsZero && !fixed.includes(0)) {
    fail('OPTION_INVALID', `scheme "${scheme}" has no level 0 for weights that were removed`, {
      place: 'scheme',
      expected: 'ternary, or another scheme with a zero',
    });
  }
  const scales = roundTo(
    scaleType,
    Float32Array.from(groups, (group) => (fixed ? fitScale(group, fixed, scaleType) : largestMagnitude(group) / unit)),
  );
  const groupOfValue = (i: number) => Math.floor(i / (matrix.columns * rowsPerGroup));
  const perTable = matrix.columns * rowsPerTable;
  const codes = new Uint8Array(matrix.values.length);
  const tables: number[] = [];
  for (let from = 0; from < matrix.values.length; from += perTable) {
    const count = Math.min(perTable, matrix.values.length - from);
    // Values in units of their scale, and how much an error in such units weighs.
    const scaled = new Float64Array(count);
    const weights = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const scale = scales[groupOfValue(from + i)]!;
      scaled[i] = scale === 0 ? 0 : matrix.values[from + i]! / scale;
      weights[i] = scale * scale;
    }
    const ideal =
      fixed ??
      (scheme === 'codebook' && matrix.needsZero
        ? codebookWithZero(scaled, weights, 2 ** bits)
        : chooseLevels(scheme, rounding, bits, unit, scaled, weights));
    const table = ideal.map((level) =>
      bits <= 4 ? Math.max(-127, Math.min(127, Math.round(level))) : Math.fround(level),
    );
    const code = rounding === 'floor' && scheme === 'log' ? floorLogCode(scaled, bits) : nearestLevel(table);
    for (let i = 0; i < count; i++) codes[from + i] = code(scaled[i]!);
    tables.push(...table);
  }
  const levels = Float32Array.from(tables);
  return { kind: 'levels', scheme, bits, codes, scaleType, rowsPerGroup, scales, rowsPerTable, levels };
}

function chooseLevels(
  scheme: LevelsOptions['scheme'],
  rounding: LevelsOptions['rounding'],
  bits: number,
  unit: number,
  scaled: Float64Array,
  weights: Float64Array,
): number[] {
  if (scheme === 'pow2') return powerLevels(bits, unit);
  if (scheme === 'codebook') return fitCodebook(scaled, weights, 2 ** bits);
  return rounding === 'floor' ? floorLogLevels(scaled, bits) : nearestLogLevels(scaled, weights, bits, unit);
}

/** One level is zero, for what was removed; the others are fitted to the rest. */
function codebookWithZero(scaled: Float64Array, weights: Float64Array, count: number): number[] {
  const rest = Array.from(scaled.keys()).filter((i) => scaled[i] !== 0);
  if (rest.length === 0) return Array.from({ length: count }, () => 0);
  const pick = (from: Float64Array) => Float64Array.from(rest, (i) => from[i]!);
  return [...fitCodebook(pick(scaled), pick(weights), count - 1), 0].sort((a, b) => a - b);
}
