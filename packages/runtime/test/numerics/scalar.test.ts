import { describe, expect, it } from 'vitest';
import { type FunctionName, functionNames, functionTable } from '../../src/numerics/activation.ts';
import { coefficients } from '../../src/numerics/coefficients.ts';
import { applyFunction, exp, log, sigmoid, tanh } from '../../src/numerics/scalar.ts';
import { exact } from './exact.ts';

const f32 = Math.fround;

/** The function with its default constants, or with the ones given. */
function scalar(name: FunctionName, constants: readonly number[] = functionTable[name].parameters) {
  const [p0 = 0, p1 = 0, p2 = 0] = constants.map(f32);
  const number = functionNames.indexOf(name);
  return (x: number) => applyFunction(number, x, p0, p1, p2);
}

/** A dense grid of [low, high], and powers of two down to the normal numbers. */
function* grid(low: number, high: number): Generator<number> {
  const steps = 60_000;
  for (let i = 0; i <= steps; i++) yield f32(low + ((high - low) * i) / steps);
  for (let e = -126; e <= 127; e++) {
    for (const x of [2 ** e, -(2 ** e), 1.7 * 2 ** e, -1.7 * 2 ** e]) if (x >= low && x <= high) yield f32(x);
  }
}

/** The largest |f − exact|, relative to 1 or to the exact value where that is larger. */
function worstError(f: (x: number) => number, reference: (x: number) => number, low: number, high: number): number {
  let worst = 0;
  for (const x of grid(low, high)) {
    const y = reference(x);
    const error = Math.abs(f(x) - y) / Math.max(1, Math.abs(y));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

describe('against exact values', () => {
  // Where a function keeps an unbounded value the bound is relative to it; float32 itself has 6e-8.
  const bounds: [FunctionName, number, number, number, number[]?][] = [
    ['tanh', -40, 40, 3.5e-7],
    ['sigmoid', -80, 80, 2e-7],
    ['erf', -20, 20, 3.5e-7],
    ['exp', -87.3, 88.7, 1.5e-7],
    ['log', 1e-30, 30, 1.5e-7],
    ['log', 1e-37, 3e38, 1.5e-7],
    ['softplus', -100, 100, 2e-7],
    ['softsign', -100, 100, 1e-7],
    ['swish', -100, 100, 3e-7],
    ['mish', -100, 100, 3e-7],
    ['gelu', -20, 20, 1e-6],
    ['geluTanh', -20, 20, 1e-6],
    ['elu', -100, 100, 2e-7],
    ['elu', -100, 100, 2e-7, [0.7]],
    ['selu', -100, 100, 4e-7],
    ['celu', -100, 100, 2e-7, [1.3]],
    ['hardSigmoid', -5, 5, 2e-7],
    ['hardSwish', -5, 5, 2e-7],
    ['relu', -100, 100, 1e-7, [0.3, 6, 1]],
    ['relu', -100, 100, 1e-7],
    ['clip', -3, 3, 0],
    ['affine', -3, 3, 2e-7, [1.7, 0.1]],
    ['abs', -3, 3, 0],
    ['negate', -3, 3, 0],
    ['oneMinus', -3, 3, 1e-7],
    ['square', -100, 100, 1e-7],
    ['sqrt', 0, 100, 1e-7],
    ['reciprocal', 1e-3, 100, 1e-7],
    ['linear', -3, 3, 0],
  ];
  it.each(bounds)('%s on [%d, %d] is within %d', (name, low, high, bound, constants) => {
    const used = constants ?? functionTable[name].parameters;
    expect(worstError(scalar(name, used), exact[name](used.map(f32)), low, high)).toBeLessThanOrEqual(bound);
  });

  it('states a bound for every function', () => {
    expect(new Set(bounds.map(([name]) => name))).toEqual(new Set(functionNames));
  });

  it('keeps the relative accuracy of small values', () => {
    for (let e = -120; e <= -3; e++) {
      const x = f32(1.37 * 2 ** e);
      expect(Math.abs(tanh(x) / Math.tanh(x) - 1)).toBeLessThan(4e-7);
    }
    for (let x = -80; x < -1; x += 0.37) {
      const e = Math.exp(f32(x));
      expect(Math.abs(exp(f32(x)) / e - 1)).toBeLessThan(2e-7);
      expect(Math.abs(scalar('softplus')(f32(x)) / Math.log1p(e) - 1)).toBeLessThan(4e-7);
      expect(Math.abs(scalar('swish')(f32(x)) / ((f32(x) * e) / (1 + e)) - 1)).toBeLessThan(4e-7);
    }
  });
});

describe('shape', () => {
  // The grids are large: failures are collected, so that `expect` runs once.
  it('tanh and erf are odd, and sigmoid is tanh scaled', () => {
    const erf = scalar('erf');
    const failing: number[] = [];
    for (const x of grid(0, 12)) {
      const odd = Object.is(tanh(-x), -tanh(x)) && Object.is(erf(-x), -erf(x));
      if (!odd || sigmoid(f32(2 * x)) !== f32(0.5 + 0.5 * tanh(x))) failing.push(x);
    }
    expect(failing).toEqual([]);
  });

  it('tanh, sigmoid and erf stay in their ranges and end exactly there', () => {
    const erf = scalar('erf');
    const failing: number[] = [];
    for (const [low, high] of [
      [-3e38, 3e38],
      [-20, 20],
    ] as const) {
      for (const x of grid(low, high)) {
        const s = sigmoid(x);
        if (!(Math.abs(tanh(x)) <= 1 && Math.abs(erf(x)) <= 1 && s >= 0 && s <= 1)) failing.push(x);
      }
    }
    expect(failing).toEqual([]);
    expect(tanh(coefficients.tanh.clamp)).toBe(1);
    expect(tanh(Number.NEGATIVE_INFINITY)).toBe(-1);
    expect(sigmoid(coefficients.sigmoid.clamp)).toBe(1);
    expect(sigmoid(-coefficients.sigmoid.clamp)).toBe(0);
    expect(scalar('erf')(Number.POSITIVE_INFINITY)).toBe(1);
  });

  it('functions that vanish at −∞ do', () => {
    for (const name of ['swish', 'gelu', 'geluTanh', 'mish', 'softplus', 'relu', 'exp'] as const) {
      for (const x of [-100, -1e6, -1e30, Number.NEGATIVE_INFINITY]) {
        expect(Math.abs(scalar(name)(x))).toBeLessThan(1e-35);
      }
    }
  });

  it('functions that follow x do, to infinity', () => {
    for (const name of ['swish', 'gelu', 'geluTanh', 'mish', 'softplus', 'elu', 'celu', 'hardSwish'] as const) {
      for (const x of [100, 1e6, f32(1e30), Number.POSITIVE_INFINITY]) expect(scalar(name)(x)).toBe(x);
    }
  });

  it('exp is clamped to normal numbers', () => {
    expect(exp(Number.NEGATIVE_INFINITY)).toBe(exp(coefficients.expLow));
    expect(exp(Number.NEGATIVE_INFINITY)).toBeGreaterThan(2 ** -126);
    expect(exp(Number.POSITIVE_INFINITY)).toBe(exp(coefficients.expHigh));
    expect(exp(Number.POSITIVE_INFINITY)).toBeLessThan(3.41e38);
  });

  it('log ends where its domain does', () => {
    expect(log(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(log(-0)).toBe(Number.NEGATIVE_INFINITY);
    expect(log(-1)).toBeNaN();
    expect(log(Number.NEGATIVE_INFINITY)).toBeNaN();
    expect(log(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(log(1)).toBe(0);
  });
});

describe.each(functionNames)('%s', (name) => {
  it('hands NaN on', () => {
    expect(scalar(name)(Number.NaN)).toBeNaN();
  });

  it('gives float32 values, and no subnormal ones', () => {
    const f = scalar(name);
    // A square, a scaled value or a reciprocal is as small as its operand makes it.
    const scales = ['square', 'reciprocal', 'affine', 'linear', 'hardSwish', 'elu', 'celu'].includes(name);
    const failing: number[] = [];
    for (const [low, high] of [
      [-3e38, 3e38],
      [-100, 100],
    ] as const) {
      for (const x of grid(low, high)) {
        const y = f(x);
        const subnormal = !scales && y !== 0 && Math.abs(y) < 2 ** -127;
        if (!Number.isNaN(y) && (y !== f32(y) || subnormal)) failing.push(x);
      }
    }
    expect(failing).toEqual([]);
  });
});
