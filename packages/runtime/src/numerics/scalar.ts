import { type FunctionName, functionNames } from './activation.ts';
import { coefficients as C } from './coefficients.ts';

// The meaning of every element-wise function, bit for bit: each line is one float32 operation and its rounding, in the
// order the WASM kernels (assembly/activations.ts) and generated C follow. NaN goes through every function. None of
// them makes a subnormal number out of normal ones, since some targets flush those.

const f32 = Math.fround;

// One number seen as its bits; JavaScript has no other way to an exponent.
const floatView = new Float32Array(1);
const bitView = new Int32Array(floatView.buffer);

function toBits(x: number): number {
  floatView[0] = x;
  return bitView[0]!;
}

function fromBits(bits: number): number {
  bitView[0] = bits;
  return floatView[0]!;
}

/** WASM's pmax. NaN stays NaN, and so does the sign of a zero. */
function atLeast(x: number, low: number): number {
  // Not Math.max, which has another meaning for zeros.
  return x < low ? low : x;
}

/** WASM's pmin. */
function atMost(x: number, high: number): number {
  return high < x ? high : x;
}

function clamp(x: number, low: number, high: number): number {
  return atMost(atLeast(x, low), high);
}

/** Σ c[i]·x^i by Horner's rule. */
function polynomial(c: readonly number[], x: number): number {
  let y = c[c.length - 1]!;
  for (let i = c.length - 2; i >= 0; i--) y = f32(f32(y * x) + c[i]!);
  return y;
}

interface Rational {
  readonly clamp: number;
  readonly p: readonly number[];
  readonly q: readonly number[];
}

/** x·P(x²)/Q(x²) with x inside ±clamp. */
function oddRational({ clamp: bound, p, q }: Rational, x: number): number {
  const a = clamp(x, -bound, bound);
  const t = f32(a * a);
  return f32(f32(a * polynomial(p, t)) / polynomial(q, t));
}

export function tanh(x: number): number {
  return clamp(oddRational(C.tanh, x), -1, 1);
}

/** Exactly 0 and 1 from ±17 on, so that products with it vanish there. */
export function sigmoid(x: number): number {
  return f32(0.5 + clamp(oddRational(C.sigmoid, x), -0.5, 0.5));
}

function erf(x: number): number {
  return clamp(oddRational(C.erf, x), -1, 1);
}

/** e^x for x inside [−87.3, 88.7], the ends' values outside: x = n·ln 2 + r, |r| ≤ ln 2/2, e^x = 2^n·P(r). */
export function exp(x: number): number {
  const a = clamp(x, C.expLow, C.expHigh);
  // Adding and taking away 1.5·2^23 rounds half to even, like f32x4.nearest.
  const n = f32(f32(f32(a * C.log2e) + 12582912) - 12582912);
  const r = f32(f32(a - f32(n * C.ln2High)) - f32(n * C.ln2Low));
  // The exponent is added as an integer: 2^n alone would overflow at n = 128.
  return fromBits(toBits(polynomial(C.exp, r)) + (n << 23));
}

/** ln x: x = m·2^n, √½ ≤ m < √2. Below the smallest normal number −∞, below zero NaN. */
export function log(x: number): number {
  const bits = toBits(x);
  const n = (bits - C.sqrtHalfBits) >> 23;
  const f = f32(fromBits(bits - (n << 23)) - 1);
  const m = f32(f * polynomial(C.log, f));
  const y = f32(f32(m + f32(n * C.ln2Low)) + f32(n * C.ln2High));
  if (x < 0) return Number.NaN;
  if (x < C.smallestNormal) return Number.NEGATIVE_INFINITY;
  return x < Number.POSITIVE_INFINITY ? y : x;
}

/** ln(1 + u) for 0 ≤ u ≤ 1. */
function log1p(u: number): number {
  return f32(u * polynomial(C.log1p, u));
}

function expMinusOne(x: number): number {
  return f32(exp(x) - 1);
}

type ScalarFunction = (x: number, p0: number, p1: number, p2: number) => number;

const functions: Record<FunctionName, ScalarFunction> = {
  linear: (x) => x,
  tanh,
  sigmoid,
  hardSigmoid: (x, alpha, beta) => clamp(f32(f32(alpha * x) + beta), 0, 1),
  // A slope of 0 gives +0, also for −∞.
  relu(x, slope, max, threshold) {
    const below = slope === 0 ? 0 : f32(slope * f32(x - threshold));
    return atMost(x < threshold ? below : x, max);
  },
  elu: (x, alpha) => (x > 0 ? x : f32(alpha * expMinusOne(x))),
  selu: (x, alpha, scale) => f32(scale * (x > 0 ? x : f32(alpha * expMinusOne(x)))),
  softplus(x) {
    return f32(atLeast(x, 0) + log1p(exp(-Math.abs(x))));
  },
  softsign: (x) => f32(x / f32(1 + Math.abs(x))),
  exp,
  log,
  // x/(1 + e^−x) keeps the small values that x·sigmoid(x) would lose to sigmoid's absolute error.
  swish(x) {
    const a = atLeast(x, -87);
    return f32(a / f32(1 + exp(-a)));
  },
  gelu(x) {
    const a = atLeast(x, -16);
    return f32(f32(0.5 * a) * f32(1 + erf(f32(a * C.sqrtHalf))));
  },
  geluTanh(x) {
    const a = atLeast(x, -16);
    const cubic = f32(C.geluCubic * f32(f32(a * a) * a));
    return f32(f32(0.5 * a) * f32(1 + tanh(f32(C.sqrtTwoOverPi * f32(a + cubic)))));
  },
  // tanh(ln(1 + e)) = e·(e + 2)/(e·(e + 2) + 2) with e = e^x.
  mish(x) {
    const a = atLeast(x, -87);
    const e = exp(atMost(a, 20));
    const n = f32(e * f32(e + 2));
    return f32(a * f32(n / f32(n + 2)));
  },
  hardSwish: (x, alpha, beta) => f32(x * clamp(f32(f32(alpha * x) + beta), 0, 1)),
  abs: (x) => Math.abs(x),
  negate: (x) => -x,
  square: (x) => f32(x * x),
  sqrt: (x) => f32(Math.sqrt(x)),
  reciprocal: (x) => f32(1 / x),
  oneMinus: (x) => f32(1 - x),
  clip: (x, low, high) => clamp(x, low, high),
  affine: (x, a, b) => f32(f32(a * x) + b),
  celu(x, alpha) {
    const y = f32(alpha * expMinusOne(f32(x / alpha)));
    return x > 0 ? x : atMost(y, 0);
  },
  erf,
};

const byNumber = functionNames.map((name) => functions[name]);

/**
 * The function numbered `fn` (numerics/activation.ts) of a float32. The parameters must be float32 values as well
 * (`Math.fround`), as they are in programs.
 */
export function applyFunction(fn: number, x: number, p0: number, p1: number, p2: number): number {
  return byNumber[fn]!(x, p0, p1, p2);
}
