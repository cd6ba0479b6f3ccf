import { type Activation, type Node, parseActivation } from '@gatefold/runtime';
import type { Dialect } from './types.ts';

const infinity = Number.POSITIVE_INFINITY;
const everywhere: Readonly<Record<string, string>> = {
  linear: 'linear',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
  softplus: 'softplus',
  softsign: 'softsign',
  gelu: 'gelu',
  mish: 'mish',
  selu: 'selu',
};

/** The slope of a dialect's hard sigmoid: Keras 3 changed it. */
export function hardSlope(dialect: Dialect): number {
  return dialect === 'keras3' ? 1 / 6 : 0.2;
}

/**
 * The name by which a dialect knows a function; undefined where it has none. Outside of cells Keras 2's hard sigmoid is
 * made of layers that Keras 3 understands in the same way.
 */
export function activationName(
  [name, ...given]: Activation,
  dialect: Dialect,
  place: 'layer' | 'cell' = 'layer',
): string | undefined {
  const is = (...numbers: readonly number[]) =>
    numbers.every((n, i) => given[i] === n || (given[i] === undefined && n === defaults[name]?.[i]));
  if (Object.hasOwn(everywhere, name)) return given.length === 0 || name !== 'selu' ? everywhere[name] : undefined;
  const three = dialect === 'keras3';
  switch (name) {
    case 'exp':
      return dialect === 'tfjs' ? undefined : 'exponential';
    case 'swish':
      return three ? 'silu' : 'swish';
    case 'elu':
      return is(1) ? 'elu' : undefined;
    case 'celu':
      return is(1) ? (three ? 'celu' : 'elu') : undefined;
    case 'relu':
      if (is(0, infinity, 0)) return 'relu';
      if (is(0, 6, 0)) return dialect === 'keras2' ? undefined : 'relu6';
      return three && is(0.2, infinity, 0) ? 'leaky_relu' : undefined;
    case 'hardSigmoid':
      if (three && is(0.5, 0.5)) return 'sparse_sigmoid';
      if (dialect === 'keras2' && place === 'layer') return undefined;
      return is(hardSlope(dialect), 0.5) ? 'hard_sigmoid' : undefined;
    case 'hardSwish':
      return three && is(1 / 6, 0.5) ? 'hard_silu' : undefined;
    case 'clip':
      return three && is(-1, 1) ? 'hard_tanh' : undefined;
    default:
      return undefined;
  }
}

/** Constants that stand where an activation names none. */
const defaults: Readonly<Record<string, readonly number[]>> = {
  elu: [1],
  celu: [1],
  relu: [0, infinity, 0],
  hardSigmoid: [0.2, 0.5],
  hardSwish: [1 / 6, 0.5],
  clip: [-1, 1],
};

/** The function of a unary node, or of an option of a cell. */
export function functionOf({ attributes }: Node, key = 'function', otherwise: Activation = ['linear']): Activation {
  return attributes[key] === undefined ? otherwise : parseActivation(attributes[key])!;
}
