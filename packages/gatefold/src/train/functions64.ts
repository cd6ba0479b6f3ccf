import { type FunctionName, functionTable } from '@gatefold/runtime';
import type { ElementLoss } from './backend/types.ts';

export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** erf by its series below 3 and its continued fraction above (Abramowitz & Stegun 7.1.5, 7.1.14): full precision. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}
export const softplus = (x: number) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));
const geluInner = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

/** A function and its derivative, each of x and the function's constants a, b, c. */
type Definition = readonly [
  value: (x: number, a: number, b: number, c: number) => number,
  slope: (x: number, a: number, b: number, c: number) => number,
];

const definitions: Record<FunctionName, Definition> = {
  linear: [(x) => x, () => 1],
  tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
  sigmoid: [sigmoid, (x) => sigmoid(x) * sigmoid(-x)],
  hardSigmoid: [(x, a, b) => clamp(a * x + b, 0, 1), (x, a, b) => (a * x + b > 0 && a * x + b < 1 ? a : 0)],
  relu: [(x, a, b, c) => (x >= b ? b : x >= c ? x : a * (x - c)), (x, a, b, c) => (x >= b ? 0 : x >= c ? 1 : a)],
  elu: [(x, a) => (x > 0 ? x : a * Math.expm1(x)), (x, a) => (x > 0 ? 1 : a * Math.exp(x))],
  selu: [(x, a, b) => b * (x > 0 ? x : a * Math.expm1(x)), (x, a, b) => b * (x > 0 ? 1 : a * Math.exp(x))],
  softplus: [softplus, sigmoid],
  softsign: [(x) => x / (1 + Math.abs(x)), (x) => 1 / (1 + Math.abs(x)) ** 2],
  exp: [Math.exp, Math.exp],
  log: [Math.log, (x) => 1 / x],
  swish: [(x) => x * sigmoid(x), (x) => sigmoid(x) * (1 + x * sigmoid(-x))],
  gelu: [
    (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    (x) => 0.5 * (1 + erf(x * Math.SQRT1_2)) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  ],
  geluTanh: [
    (x) => 0.5 * x * (1 + Math.tanh(geluInner(x))),
    (x) => {
      const t = Math.tanh(geluInner(x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
    },
  ],
  mish: [
    (x) => x * Math.tanh(softplus(x)),
    (x) => {
      const t = Math.tanh(softplus(x));
      return t + x * (1 - t * t) * sigmoid(x);
    },
  ],
  hardSwish: [
    (x, a, b) => x * clamp(a * x + b, 0, 1),
    (x, a, b) => clamp(a * x + b, 0, 1) + (a * x + b > 0 && a * x + b < 1 ? a * x : 0),
  ],
  abs: [Math.abs, Math.sign],
  negate: [(x) => -x, () => -1],
  square: [(x) => x * x, (x) => 2 * x],
  sqrt: [Math.sqrt, (x) => 0.5 / Math.sqrt(x)],
  reciprocal: [(x) => 1 / x, (x) => -1 / (x * x)],
  oneMinus: [(x) => 1 - x, () => -1],
  clip: [clamp, (x, a, b) => (x > a && x < b ? 1 : 0)],
  affine: [(x, a, b) => a * x + b, (_, a) => a],
  celu: [(x, a) => (x > 0 ? x : Math.min(0, a * Math.expm1(x / a))), (x, a) => (x > 0 ? 1 : Math.exp(x / a))],
  erf: [erf, (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x)],
};

function constantsOf(name: FunctionName, given: readonly number[]): [number, number, number] {
  const [a = 0, b = 0, c = 0] = functionTable[name].parameters.map((value, i) => given[i] ?? value);
  return [a, b, c];
}

/** The functions of cells and heads in float64, by their definitions. */
export function functions64(name: FunctionName, x: number, given: readonly number[]): number {
  return definitions[name][0](x, ...constantsOf(name, given));
}

/** Their derivatives; at a kink, one of the two. */
export function derivative64(name: FunctionName, x: number, given: readonly number[]): number {
  return definitions[name][1](x, ...constantsOf(name, given));
}

/** A loss and its slope. */
export function elementTerm(kind: ElementLoss, delta: number, value: number, target: number): [number, number] {
  const e = value - target;
  switch (kind) {
    case 'squared':
      return [e * e, 2 * e];
    case 'absolute':
      return [Math.abs(e), Math.sign(e)];
    case 'huber':
      return Math.abs(e) <= delta ? [0.5 * e * e, e] : [delta * (Math.abs(e) - 0.5 * delta), delta * Math.sign(e)];
    case 'logistic':
      return [softplus(value) - target * value, sigmoid(value) - target];
  }
}
