import type { Activation } from '@gatefold/runtime';
import { activationAttribute, type KerasTensor } from './builder.ts';
import { isJson } from './config.ts';
import { type LayerContext, refuseLayer } from './layer.ts';

const infinity = Number.POSITIVE_INFINITY;

/** Keras' functions of one number, as chains of ours. */
const functions: Readonly<Record<string, readonly Activation[]>> = {
  linear: [],
  tanh: [['tanh']],
  sigmoid: [['sigmoid']],
  relu: [['relu']],
  relu6: [['relu', 0, 6]],
  elu: [['elu']],
  selu: [['selu']],
  celu: [['celu']],
  softplus: [['softplus']],
  softsign: [['softsign']],
  exponential: [['exp']],
  swish: [['swish']],
  silu: [['swish']],
  gelu: [['gelu']],
  mish: [['mish']],
  leaky_relu: [['relu', 0.2, infinity, 0]],
  hard_silu: [['hardSwish']],
  hard_swish: [['hardSwish']],
  hard_tanh: [['clip', -1, 1]],
  log_sigmoid: [['negate'], ['softplus'], ['negate']],
};

/**
 * An activation option as a chain of functions; `softmax` stands for itself. Keras 2's hard sigmoid is
 * clip(0.2·x + 0.5), Keras 3's relu6(x + 3)/6.
 */
export function activationChain(context: LayerContext, value: unknown): readonly Activation[] | 'softmax' {
  const name = activationName(value);
  if (name === 'softmax') return 'softmax';
  if (name === 'hard_sigmoid') return [['hardSigmoid', context.kerasMajor >= 3 ? 1 / 6 : 0.2, 0.5]];
  const chain = name === undefined ? undefined : functions[name];
  if (chain) return chain;
  return refuseLayer(context, `activation ${JSON.stringify(value)} is not known`, `known: ${Object.keys(functions).join(', ')}, hard_sigmoid, softmax`);
}

/** Text, or a serialized function: {class_name: 'function', config: 'relu'}, or a registered name. */
function activationName(value: unknown): string | undefined {
  if (value === null || value === undefined) return 'linear';
  if (typeof value === 'string') return value;
  if (!isJson(value)) return undefined;
  if (typeof value.config === 'string') return value.config;
  return undefined;
}

/** The single function of a recurrent layer's option. */
export function cellActivation(context: LayerContext, value: unknown): Activation {
  const chain = activationChain(context, value);
  if (chain === 'softmax' || chain.length > 1) return refuseLayer(context, `activation ${JSON.stringify(value)} inside a recurrent cell`);
  return chain[0] ?? ['linear'];
}

/** Adds an activation after a value. */
export function applyActivation(context: LayerContext, tensor: KerasTensor, value: unknown, suffix = '/activation'): KerasTensor {
  const chain = activationChain(context, value);
  const { builder, name } = context;
  if (chain === 'softmax') return { ...tensor, value: builder.add('softmax', name + suffix, { x: tensor.value }).y! };
  let at = tensor.value;
  for (const activation of chain) {
    at = builder.add('unary', name + suffix, { x: at }, { function: activationAttribute(activation) }).y!;
  }
  return { ...tensor, value: at };
}
