import {
  type AffineEncoding,
  createSession,
  decode,
  type LevelsEncoding,
  type Model,
  simd128Engine,
  storedBytes,
} from '@gatefold/runtime';
import { referenceEngine } from '@gatefold/runtime/reference';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { type QuantizeOptions, quantize } from '../../src/compress/index.ts';

const model = smallModel(3, cellChoices.lstm!, { features: 7, units: 20 });
const names = ['cell/W', 'cell/U', 'kernel'];

function run(m: Model, x: Float32Array, engine = simd128Engine): Float32Array {
  return createSession(m, { engine }).run(x).y!.data;
}

function meanError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum / a.length);
}

describe('linear', () => {
  it('follows the floor formula exactly and decodes to the middle of the cell', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.constantFrom('tensor', 'gate', 'row'), (bits, granularity) => {
        const { model: coded } = quantize(model, { bits, rounding: 'floor', granularity, scales: 'f32' });
        for (const name of names) {
          const before = decode(model.weights[name]!);
          const weight = coded.weights[name]!;
          const encoding = weight.encoding as AffineEncoding;
          const after = decode(weight);
          const perGroup = (before.length / weight.shape[0]!) * encoding.rowsPerGroup;
          for (let from = 0; from < before.length; from += perGroup) {
            const group = before.slice(from, from + perGroup);
            const low = Math.min(...group);
            const high = Math.max(...group);
            const top = 2 ** bits - 1;
            const step = (high - low) / top;
            group.forEach((r, i) => {
              const q = Math.floor(((r - low) / (high - low)) * top);
              expect(encoding.codes[from + i]! + 2 ** (bits - 1)).toBe(q);
              expect(Math.abs(after[from + i]! - (low + (q + 0.5) * step))).toBeLessThan(1e-6);
            });
          }
        }
      }),
      { numRuns: 24 },
    );
  });

  it.each([2, 3, 4, 5, 8, 12, 16])('rounds to the nearest of %i bits', (bits) => {
    const { model: coded } = quantize(model, { bits, clip: 'max', scales: 'f32' });
    for (const name of names) {
      const before = decode(model.weights[name]!);
      const after = decode(coded.weights[name]!);
      const { scales } = coded.weights[name]!.encoding as AffineEncoding;
      const columns = before.length / scales.length;
      before.forEach((r, i) => {
        expect(Math.abs(r - after[i]!)).toBeLessThanOrEqual(
          scales[Math.floor(i / columns)]! * 0.5001 + 1e-7 * Math.abs(r),
        );
      });
    }
  });

  it.each([2, 3, 4, 6])('clipping by squared error beats extremes at %i bits', (bits) => {
    for (const symmetric of [true, false]) {
      const error = (clip: 'max' | 'mse') => {
        const { model: coded } = quantize(model, { bits, clip, symmetric });
        return names.reduce(
          (sum, name) => sum + meanError(decode(model.weights[name]!), decode(coded.weights[name]!)),
          0,
        );
      };
      expect(error('mse')).toBeLessThan(error('max'));
    }
  });
});

describe('levels', () => {
  it('follows the logarithmic floor formula with a sign and an exact zero', () => {
    const values = decode(model.weights['cell/U']!).slice();
    values[5] = 0;
    const weight = { ...model.weights['cell/U']!, encoding: { kind: 'dense', type: 'f32', values } as const };
    const withZero: Model = { ...model, weights: { ...model.weights, 'cell/U': weight } };
    for (const bits of [3, 4, 6, 8]) {
      const { model: coded } = quantize(withZero, { bits, scheme: 'log', rounding: 'floor', granularity: 'tensor' });
      const encoding = coded.weights['cell/U']!.encoding as LevelsEncoding;
      const magnitudes = [...values].map(Math.abs).filter((m) => m > 0);
      const low = Math.min(...magnitudes);
      const high = Math.max(...magnitudes);
      const top = 2 ** (bits - 1) - 2;
      values.forEach((r, i) => {
        if (r === 0) {
          expect(decode(coded.weights['cell/U']!)[i]).toBe(0);
          return;
        }
        const exact = ((Math.log(Math.abs(r)) - Math.log(low)) / (Math.log(high) - Math.log(low))) * top;
        const code = encoding.codes[i]!;
        const q = (code - 1) % (top + 1);
        // Scaling by a float16 scale moves a value that lies on a cell's edge at most into the next cell.
        expect(Math.min(Math.abs(q - Math.floor(exact + 1e-6)), Math.abs(q - Math.floor(exact - 1e-6)))).toBe(0);
        expect(code > top + 1).toBe(r < 0);
      });
    }
  });

  it('uses powers of two only', () => {
    const { model: coded } = quantize(model, { bits: 4, scheme: 'pow2' });
    const { levels } = coded.weights['cell/U']!.encoding as LevelsEncoding;
    for (const level of levels) expect(level === 0 || Number.isInteger(Math.log2(Math.abs(level)))).toBe(true);
  });

  it.each([2, 3, 4, 6])('a codebook is no worse than even levels at %i bits', (bits) => {
    const error = (scheme: 'codebook' | 'linear') => {
      const { model: coded } = quantize(model, { bits, scheme, granularity: 'gate' });
      return meanError(decode(model.weights['cell/U']!), decode(coded.weights['cell/U']!));
    };
    expect(error('codebook')).toBeLessThan(error('linear') * 1.02);
  });

  it.each([
    ['ternary', 2, [0, 1, -1, 0]],
    ['binary', 1, [-1, 1]],
    ['balanced', 2, [-3, -1, 1, 3]],
    ['balanced', 3, [-7, -5, -3, -1, 1, 3, 5, 7]],
  ] as const)('%s, %i bits: no other scale of a row lies much nearer', (scheme, bits, levels) => {
    const { model: coded } = quantize(model, { bits, scheme, scales: 'f32' });
    const weight = coded.weights['cell/U']!;
    const encoding = weight.encoding as LevelsEncoding;
    expect([...encoding.levels.subarray(0, levels.length)]).toEqual(levels);
    const before = decode(model.weights['cell/U']!);
    const after = decode(weight);
    for (let row = 0; row < 80; row++) {
      const values = before.subarray(row * 20, row * 20 + 20);
      const largest = Math.max(...values.map(Math.abs));
      const error = (scale: number) =>
        values.reduce((sum, v) => sum + Math.min(...levels.map((level) => (v - level * scale) ** 2)), 0);
      const least = Math.min(...Array.from({ length: 500 }, (_, i) => error((largest * (i + 1)) / 500)));
      const found = values.reduce((sum, v, i) => sum + (v - after[row * 20 + i]!) ** 2, 0);
      expect(found).toBeLessThan(least * 1.05 + 1e-9);
    }
  });
});

const settings: [string, QuantizeOptions][] = [
  ['linear 8', { bits: 8 }],
  ['linear 8 u14', { bits: 8, operand: 'u14' }],
  ['linear 8 f32 operand', { bits: 8, operand: 'f32' }],
  ['linear 6 floor', { bits: 6, rounding: 'floor' }],
  ['linear 4', { bits: 4 }],
  ['linear 3 gate', { bits: 3, granularity: 'gate' }],
  ['linear 12', { bits: 12 }],
  ['linear 1', { bits: 1 }],
  ['log 4', { bits: 4, scheme: 'log' }],
  ['log 8', { bits: 8, scheme: 'log' }],
  ['pow2 3', { bits: 3, scheme: 'pow2' }],
  ['codebook 4', { bits: 4, scheme: 'codebook' }],
  ['balanced', { scheme: 'balanced' }],
  ['ternary', { scheme: 'ternary' }],
  ['binary', { scheme: 'binary' }],
  ['f16', { scheme: 'f16' }],
  [
    'mixed',
    {
      bits: 4,
      mixed: [
        { target: 'U/candidate', bits: 8 },
        { target: 'kernel', scheme: 'f16', bits: 16 },
      ],
    },
  ],
  ['mixed with float gate', { bits: 4, target: ['U/candidate', 'W'] }],
];

describe.each(settings)('%s', (_, options) => {
  it.each(Object.keys(cellChoices))('executes its meaning on %s, on every engine alike', (cell) => {
    const float = smallModel(11, cellChoices[cell]!, { features: 6, units: 10 });
    const { model: coded } = quantize(float, options);
    const x = randomValues(randomSource(4), 6 * 9);
    const y = run(coded, x);
    expect(Array.from(y)).toEqual(Array.from(run(coded, x, referenceEngine)));
    // The decoded weights in float32 are what it means; integer operands add their own steps.
    const meaning = {
      ...coded,
      weights: Object.fromEntries(
        Object.entries(coded.weights).map(([name, weight]) => [
          name,
          {
            shape: weight.shape,
            input: { kind: 'f32' },
            encoding: { kind: 'dense', type: 'f32', values: decode(weight) },
          } as const,
        ]),
      ),
    };
    const exact = Object.values(coded.weights).every((weight) => weight.input.kind === 'f32');
    const wide = options.operand === 'u14';
    const tolerance = exact ? 2e-5 : wide ? 2e-3 : 0.12;
    expect(meanError(y, run(meaning, x))).toBeLessThan(tolerance);
  });
});

it('takes as many bytes as its bits say', () => {
  for (const bits of [1, 2, 3, 4, 5, 6, 7, 8, 10, 16]) {
    const { model: coded } = quantize(model, { bits, scales: 'f16', symmetric: bits > 1 });
    const weight = coded.weights['cell/U']!;
    const perRow = bits > 1 ? 2 : 4;
    expect(storedBytes(weight)).toBe(Math.ceil((20 * 80 * bits) / 8) + 80 * perRow);
  }
});

it('corrects biases so that the mean output of a layer stays', () => {
  const x = randomValues(randomSource(5), 7 * 40).map((value) => value + 1);
  const calibration = () => [{ inputs: { x }, batch: 1 }];
  const options: QuantizeOptions = { bits: 2, operand: 'f32', target: ['kernel'] };
  const mean = (m: Model) => run(m, x).reduce((sum, value) => sum + value, 0) / (40 * 3);
  const float = mean(model);
  const plain = Math.abs(mean(quantize(model, options).model) - float);
  const corrected = Math.abs(
    mean(quantize(model, { ...options, biasCorrection: true }, { calibration }).model) - float,
  );
  expect(corrected).toBeLessThan(plain / 20);
});

it('takes static scales from calibration, and no zero point where inputs are never negative', () => {
  const x = randomValues(randomSource(5), 7 * 40).map(Math.abs);
  const { model: coded } = quantize(
    model,
    { operandScale: 'static' },
    { calibration: () => [{ inputs: { x }, batch: 1 }] },
  );
  expect(coded.weights['cell/W']!.input).toEqual({ kind: 'u7', zero: 0, scale: Math.fround(Math.max(...x) / 127) });
  expect(coded.weights['cell/U']!.input).toEqual({ kind: 'u7', zero: 64, scale: Math.fround(1 / 63) });
});

describe('refusals', () => {
  const table: [string, QuantizeOptions, string][] = [
    ['0 bits', { bits: 0 }, 'OPTION_INVALID'],
    ['17 bits', { bits: 17 }, 'OPTION_INVALID'],
    ['9-bit log', { bits: 9, scheme: 'log' }, 'OPTION_INVALID'],
    ['integer operand of 12 bits', { bits: 12, operand: 'u7' }, 'OPTION_INVALID'],
    ['ternary of 4 bits', { bits: 4, scheme: 'ternary' }, 'OPTION_INVALID'],
    ['floor codebook', { scheme: 'codebook', rounding: 'floor' }, 'OPTION_INVALID'],
    ['unknown target', { target: ['nothing/U'] }, 'TARGET_EMPTY'],
    ['static without data', { operandScale: 'static' }, 'DATA_INVALID'],
  ];
  it.each(table)('%s', (_, options, code) => {
    expect(() => quantize(model, options)).toThrow(expect.objectContaining({ code }));
  });
});
