import { type FunctionName, fail, functionTable } from '@gatefold/runtime';

/** The functions of cells and heads in float64, by their definitions. */
export function functions64(name: FunctionName, x: number, given: readonly number[]): number {
  const [a = 0, b = 0, c = 0] = functionTable[name].parameters.map((value, i) => given[i] ?? value);
  switch (name) {
    case 'linear':
      return x;
    case 'tanh':
      return Math.tanh(x);
    case 'sigmoid':
      return 1 / (1 + Math.exp(-x));
    case 'hardSigmoid':
      return Math.min(1, Math.max(0, a * x + b));
    case 'relu':
      return x >= b ? b : x >= c ? x : a * (x - c);
    case 'elu':
      return x > 0 ? x : a * Math.expm1(x);
    case 'selu':
      return b * (x > 0 ? x : a * Math.expm1(x));
    case 'softplus':
      return Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
    case 'softsign':
      return x / (1 + Math.abs(x));
    case 'exp':
      return Math.exp(x);
    case 'swish':
      return x / (1 + Math.exp(-x));
    case 'oneMinus':
      return 1 - x;
    case 'affine':
      return a * x + b;
    case 'clip':
      return Math.min(b, Math.max(a, x));
    default:
      return fail('MODEL_UNSUPPORTED', `the float64 oracle has no "${name}"`);
  }
}
