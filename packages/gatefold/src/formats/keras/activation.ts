import type { Activation } from '@gatefold/runtime';
import { get, isObject, type Json, textOf } from '../json.ts';
import type { KerasVersion } from './version.ts';

/**
 * What an activation is made of: element-wise functions in a chain, a softmax, or a small graph that
 * `layers/activations.ts` knows.
 */
export type ActivationSpec =
  | { readonly kind: 'chain'; readonly functions: readonly Activation[] }
  | { readonly kind: 'softmax' | 'logSoftmax' | 'glu' }
  | { readonly kind: 'graph'; readonly name: GraphActivation };

export type GraphActivation = 'tanh_shrink' | 'hard_shrink' | 'soft_shrink' | 'squareplus' | 'sparse_plus';

const one = (...activation: Activation): ActivationSpec => ({ kind: 'chain', functions: [activation] });
const graph = (name: GraphActivation): ActivationSpec => ({ kind: 'graph', name });

const named: Readonly<Record<string, ActivationSpec>> = {
  linear: { kind: 'chain', functions: [] },
  tanh: one('tanh'),
  sigmoid: one('sigmoid'),
  relu: one('relu'),
  relu6: one('relu', 0, 6, 0),
  leaky_relu: one('relu', 0.2),
  elu: one('elu', 1),
  selu: one('selu'),
  celu: one('celu', 1),
  softplus: one('softplus'),
  softsign: one('softsign'),
  exponential: one('exp'),
  swish: one('swish'),
  silu: one('swish'),
  gelu: one('gelu'),
  mish: one('mish'),
  hard_silu: one('hardSwish', 1 / 6, 0.5),
  hard_swish: one('hardSwish', 1 / 6, 0.5),
  hard_tanh: one('clip', -1, 1),
  sparse_sigmoid: one('hardSigmoid', 0.5, 0.5),
  log_sigmoid: { kind: 'chain', functions: [['negate'], ['softplus'], ['negate']] },
  softmax: { kind: 'softmax' },
  glu: { kind: 'glu' },
  tanh_shrink: graph('tanh_shrink'),
  hard_shrink: graph('hard_shrink'),
  soft_shrink: graph('soft_shrink'),
  squareplus: graph('squareplus'),
  sparse_plus: graph('sparse_plus'),
};

/** The meaning of an activation in a configuration: null, a name, or a serialized object; undefined where it is unknown. */
export function activationSpec(json: Json | undefined, version: KerasVersion): ActivationSpec | undefined {
  if (json === null || json === undefined) return named.linear;
  if (isObject(json)) return fromObject(json, version);
  const name = textOf(json);
  if (name === undefined) return undefined;
  // Keras 2: clip(0.2·x + 0.5); Keras 3: relu6(x + 3)/6.
  if (name === 'hard_sigmoid') return version.major >= 3 ? one('hardSigmoid', 1 / 6, 0.5) : one('hardSigmoid', 0.2, 0.5);
  return Object.hasOwn(named, name) ? named[name] : undefined;
}

function fromObject(json: Json, version: KerasVersion): ActivationSpec | undefined {
  const className = textOf(get(json, 'class_name'));
  const config = get(json, 'config');
  if (className === 'function') return activationSpec(config, version);
  if (className === 'Activation') return activationSpec(get(config, 'activation'), version);
  if (className === 'Softmax') return named.softmax;
  return className === undefined ? undefined : layerActivation(className, config);
}

/** The function of the layers ReLU, LeakyReLU, ELU and ThresholdedReLU. */
export function layerActivation(className: string, config: Json | undefined): ActivationSpec | undefined {
  switch (className) {
    case 'ReLU': {
      const max = get(config, 'max_value') ?? null;
      const top = max === null ? Number.POSITIVE_INFINITY : numberOf(max);
      const slope = numberOf(get(config, 'negative_slope') ?? 0);
      const threshold = numberOf(get(config, 'threshold') ?? 0);
      return allKnown([slope, top, threshold], ([s, m, t]) =>
        s === 0 && m === Number.POSITIVE_INFINITY && t === 0 ? one('relu') : one('relu', s!, m!, t!),
      );
    }
    case 'LeakyReLU':
      return allKnown([numberOf(get(config, 'negative_slope') ?? get(config, 'alpha') ?? 0.3)], ([slope]) => one('relu', slope!));
    case 'ELU':
      return allKnown([numberOf(get(config, 'alpha') ?? 1)], ([alpha]) => one('elu', alpha!));
    case 'ThresholdedReLU':
      return allKnown([numberOf(get(config, 'theta') ?? 1)], ([theta]) =>
        one('relu', 0, Number.POSITIVE_INFINITY, nextAbove(theta!)),
      );
    default:
      return undefined;
  }
}

/** A number, or {"value": number} as Keras 2.2 wrote it. */
function numberOf(json: Json): number | undefined {
  const value = isObject(json) ? get(json, 'value') : json;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function allKnown<T>(numbers: readonly (number | undefined)[], make: (numbers: number[]) => T): T | undefined {
  return numbers.every((n) => n !== undefined) ? make(numbers as number[]) : undefined;
}

/** Next float32 above x: turns Keras' x > threshold into our x ≥ threshold. */
export function nextAbove(x: number): number {
  const word = new Int32Array(1);
  const real = new Float32Array(word.buffer);
  real[0] = x;
  if (real[0] === 0) return 2 ** -149;
  word[0] = word[0]! + (real[0]! > 0 ? 1 : -1);
  return real[0]!;
}
