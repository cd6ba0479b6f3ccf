/**
 * Element-wise functions. The order of this list is the function's number in programs, so new ones go to the end.
 * `parameters` are the defaults of the function's own constants, in order.
 */
export const functionTable = {
  linear: { parameters: [] },
  tanh: { parameters: [] },
  sigmoid: { parameters: [] },
  /** clamp(alpha·x + beta, 0, 1). Keras 2: 0.2, 0.5; Keras 3: 1/6, 0.5. */
  hardSigmoid: { parameters: [0.2, 0.5] },
  /** x ≥ max: max; x ≥ threshold: x; else slope·(x − threshold). A max of +∞ means none. */
  relu: { parameters: [0, Number.POSITIVE_INFINITY, 0] },
  /** x > 0: x; else alpha·(exp(x) − 1). */
  elu: { parameters: [1] },
  /** scale·(x > 0 ? x : alpha·(exp(x) − 1)), Klambauer et al. 2017. */
  selu: { parameters: [1.6732632423543772, 1.0507009873554805] },
  softplus: { parameters: [] },
  softsign: { parameters: [] },
  exp: { parameters: [] },
  log: { parameters: [] },
  /** x·sigmoid(x), also called SiLU. */
  swish: { parameters: [] },
  /** x·Φ(x) with the exact normal distribution function. */
  gelu: { parameters: [] },
  /** The tanh form of GELU. */
  geluTanh: { parameters: [] },
  mish: { parameters: [] },
  /** x·clamp(alpha·x + beta, 0, 1). */
  hardSwish: { parameters: [1 / 6, 0.5] },
  abs: { parameters: [] },
  negate: { parameters: [] },
  square: { parameters: [] },
  sqrt: { parameters: [] },
  reciprocal: { parameters: [] },
  /** 1 − x. */
  oneMinus: { parameters: [] },
  /** clamp(x, low, high). */
  clip: { parameters: [-1, 1] },
  /** a·x + b. */
  affine: { parameters: [1, 0] },
  /** x > 0: x; else min(0, alpha·(exp(x/alpha) − 1)). */
  celu: { parameters: [1] },
  erf: { parameters: [] },
} as const;

export type FunctionName = keyof typeof functionTable;

/** A function and its constants, as it stands in attributes: `['tanh']`, `['hardSigmoid', 0.2, 0.5]`. */
export type Activation = readonly [FunctionName, ...number[]];

export const functionNames = Object.keys(functionTable) as FunctionName[];

/** The function's number in programs. */
export function functionNumber(name: FunctionName): number {
  return functionNames.indexOf(name);
}

/** The function's constants with defaults filled in. */
export function functionParameters([name, ...given]: Activation): number[] {
  return functionTable[name].parameters.map((value, i) => given[i] ?? value);
}

/** Checks a value read from a file; returns undefined where it is no activation. */
export function parseActivation(value: unknown): Activation | undefined {
  if (!Array.isArray(value) || !functionNames.includes(value[0])) return undefined;
  const numbers = value.slice(1);
  if (numbers.length > functionTable[value[0] as FunctionName].parameters.length) return undefined;
  // JSON has no infinity: null stands for it (relu without a maximum).
  const constants = numbers.map((n) => (n === null ? Number.POSITIVE_INFINITY : n));
  if (!constants.every((n) => typeof n === 'number' && !Number.isNaN(n))) return undefined;
  return [value[0] as FunctionName, ...(constants as number[])];
}

/** Whether the function's values are bounded by 1 in magnitude, so that a state made by it has a static scale. */
export function isUnitBounded([name]: Activation): boolean {
  return name === 'tanh' || name === 'sigmoid' || name === 'hardSigmoid' || name === 'softsign' || name === 'erf';
}
