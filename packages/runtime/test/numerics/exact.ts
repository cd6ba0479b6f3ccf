import type { FunctionName } from '../../src/numerics/activation.ts';

/** erf in float64: the Taylor series, and erfc's continued fraction where the series cancels. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = 0;
    for (let n = 0; n < 120; n++) {
      sum += term / (2 * n + 1);
      term *= (-a * a) / (n + 1);
    }
    return ((Math.sign(x) * 2) / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let k = 80; k > 0; k--) fraction = k / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const at = (constants: readonly number[], i: number) => constants[i] ?? 0;

/** The functions in float64, from their definitions. */
export const exact: Record<FunctionName, (constants: readonly number[]) => (x: number) => number> = {
  linear: () => (x) => x,
  tanh: () => Math.tanh,
  sigmoid: () => (x) => 1 / (1 + Math.exp(-x)),
  hardSigmoid: (c) => (x) => clamp(at(c, 0) * x + at(c, 1), 0, 1),
  relu: (c) => (x) => (x >= at(c, 1) ? at(c, 1) : x >= at(c, 2) ? x : at(c, 0) * (x - at(c, 2))),
  elu: (c) => (x) => (x > 0 ? x : at(c, 0) * Math.expm1(x)),
  selu: (c) => (x) => at(c, 1) * (x > 0 ? x : at(c, 0) * Math.expm1(x)),
  softplus: () => softplus,
  softsign: () => (x) => x / (1 + Math.abs(x)),
  exp: () => Math.exp,
  log: () => Math.log,
  swish: () => (x) => x / (1 + Math.exp(-x)),
  gelu: () => (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  geluTanh: () => (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  mish: () => (x) => x * Math.tanh(softplus(x)),
  hardSwish: (c) => (x) => x * clamp(at(c, 0) * x + at(c, 1), 0, 1),
  abs: () => Math.abs,
  negate: () => (x) => -x,
  square: () => (x) => x * x,
  sqrt: () => Math.sqrt,
  reciprocal: () => (x) => 1 / x,
  oneMinus: () => (x) => 1 - x,
  clip: (c) => (x) => clamp(x, at(c, 0), at(c, 1)),
  affine: (c) => (x) => at(c, 0) * x + at(c, 1),
  celu: (c) => (x) => (x > 0 ? x : Math.min(0, at(c, 0) * Math.expm1(x / at(c, 0)))),
  erf: () => erf,
};
