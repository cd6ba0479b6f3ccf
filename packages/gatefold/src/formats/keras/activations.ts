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
  sparse_sigmoid: [['hardSigmoid', 0.5, 0.5]],
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
  return refuseLayer(
    context,
    `activation ${JSON.stringify(value)} is not known`,
    `known: ${Object.keys(functions).join(', ')}, hard_sigmoid, softmax`,
  );
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
  if (chain === 'softmax' || chain.length > 1)
    return refuseLayer(context, `activation ${JSON.stringify(value)} inside a recurrent cell`);
  return chain[0] ?? ['linear'];
}

type Compose = (
  unary: (x: string, f: Activation) => string,
  binary: (fn: string, a: string, b: string) => string,
  x: string,
) => string;

/** Functions that take more than a chain. */
const composed: Readonly<Record<string, Compose>> = {
  tanh_shrink: (unary, binary, x) => binary('subtract', x, unary(x, ['tanh'])),
  soft_shrink: (unary, binary, x) => {
    const above = unary(unary(x, ['affine', 1, -0.5]), ['relu']);
    return binary('subtract', above, unary(unary(x, ['affine', -1, -0.5]), ['relu']));
  },
  hard_shrink: (unary, binary, x) => {
    // |x| = ½ is cut too: the threshold is the next float32.
    const half = 0.5 + 2 ** -24;
    const above = unary(x, ['relu', 0, infinity, half]);
    return binary('subtract', above, unary(unary(x, ['negate']), ['relu', 0, infinity, half]));
  },
  squareplus: (unary, binary, x) => {
    const root = unary(unary(unary(x, ['square']), ['affine', 1, 4]), ['sqrt']);
    return unary(binary('add', x, root), ['affine', 0.5, 0]);
  },
  sparse_plus: (unary, binary, x) => {
    const inside = unary(unary(unary(unary(x, ['clip', -1, 1]), ['affine', 1, 1]), ['square']), ['affine', 0.25, 0]);
    return binary('add', inside, unary(unary(x, ['affine', 1, -1]), ['relu']));
  },
};

/** Halves of the features: a ⊙ σ(b). */
function gatedLinear({ builder, name }: LayerContext, x: string): string {
  const width = builder.type(x).shape.at(-1)!;
  const a = builder.add('slice', `${name}/a`, { x }, { from: 0, to: width / 2 }).y!;
  const b = builder.add('slice', `${name}/b`, { x }, { from: width / 2, to: width }).y!;
  const gate = builder.add('unary', `${name}/gate`, { x: b }, { function: ['sigmoid'] }).y!;
  return builder.add('binary', `${name}/gated`, { a, b: gate }, { function: 'multiply' }).y!;
}

/** Adds an activation after a value. */
export function applyActivation(
  context: LayerContext,
  tensor: KerasTensor,
  value: unknown,
  suffix = '/activation',
): KerasTensor {
  const { builder, name } = context;
  const compose = composed[activationName(value) ?? ''];
  if (compose) {
    const unary = (x: string, f: Activation) =>
      builder.add('unary', name + suffix, { x }, { function: activationAttribute(f) }).y!;
    const binary = (fn: string, a: string, b: string) =>
      builder.add('binary', name + suffix, { a, b }, { function: fn }).y!;
    return { ...tensor, value: compose(unary, binary, tensor.value) };
  }
  if (activationName(value) === 'glu') return { ...tensor, value: gatedLinear(context, tensor.value) };
  if (activationName(value) === 'log_softmax') {
    const probability = builder.add('softmax', `${name}/softmax`, { x: tensor.value }).y!;
    return { ...tensor, value: builder.add('unary', name + suffix, { x: probability }, { function: ['log'] }).y! };
  }
  const chain = activationChain(context, value);
  if (chain === 'softmax') return { ...tensor, value: builder.add('softmax', name + suffix, { x: tensor.value }).y! };
  let at = tensor.value;
  for (const activation of chain) {
    at = builder.add('unary', name + suffix, { x: at }, { function: activationAttribute(activation) }).y!;
  }
  return { ...tensor, value: at };
}
