import type { Activation } from '@gatefold/runtime';
import { activationAttribute } from '../graph-builder.ts';
import { isJson, type Json } from './config.ts';
import { show } from './json.ts';
import { type LayerContext, refuseLayer } from './layer.ts';
import type { KerasTensor } from './tensor.ts';

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

type Unary = (x: string, f: Activation) => string;
type Binary = (fn: string, a: string, b: string) => string;

/** Functions that take more than a chain. */
const composed: Readonly<Record<string, (unary: Unary, binary: Binary, x: string) => string>> = {
  tanh_shrink: (unary, binary, x) => binary('subtract', x, unary(x, ['tanh'])),
  soft_shrink: (unary, binary, x) => {
    const above = unary(unary(x, ['affine', 1, -0.5]), ['relu']);
    return binary('subtract', above, unary(unary(x, ['affine', -1, -0.5]), ['relu']));
  },
  hard_shrink: (unary, binary, x) => {
    // |x| = ½ is cut too: the threshold is the next float32.
    const half = nextAbove(0.5);
    const above = unary(x, ['relu', 0, infinity, half]);
    return binary('subtract', above, unary(unary(x, ['negate']), ['relu', 0, infinity, half]));
  },
  squareplus: (unary, binary, x) => {
    const root = unary(unary(unary(x, ['square']), ['affine', 1, 4]), ['sqrt']);
    return unary(binary('add', x, root), ['affine', 0.5, 0]);
  },
  sparse_plus: (unary, binary, x) => {
    const inside = unary(unary(unary(x, ['clip', -1, 1]), ['affine', 0.5, 0.5]), ['square']);
    return binary('add', inside, unary(unary(x, ['affine', 1, -1]), ['relu']));
  },
};

const special = ['softmax', 'log_softmax', 'glu', 'hard_sigmoid'];

/** Text, or a serialized function: {class_name: 'function', config: 'relu'}, or a registered name. */
function activationName(value: unknown): string | undefined {
  if (value === null || value === undefined) return 'linear';
  if (typeof value === 'string') return value;
  return isJson(value) && typeof value.config === 'string' ? value.config : undefined;
}

/** The functions of an activation option, one after the other; undefined where it is no such chain. */
function chainOf({ version }: LayerContext, value: unknown): readonly Activation[] | undefined {
  if (isJson(value) && isJson(value.config) && typeof value.class_name === 'string') {
    const layer = layerActivation(value.class_name, value.config);
    return layer && [layer];
  }
  const name = activationName(value) ?? '';
  // Keras 2: clip(0.2·x + 0.5); Keras 3: relu6(x + 3)/6.
  if (name === 'hard_sigmoid') return [['hardSigmoid', version.major >= 3 ? 1 / 6 : 0.2, 0.5]];
  return Object.hasOwn(functions, name) ? functions[name] : undefined;
}

/** The function of a layer that is one; undefined where its options are no numbers. */
export function layerActivation(className: string, config: Json): Activation | undefined {
  const number = (keys: readonly string[], otherwise: number) => {
    const given = keys.map((key) => config[key]).find((value) => value !== undefined && value !== null) ?? otherwise;
    // Keras 2.2 writes some numbers as {value: …}.
    const value = isJson(given) ? given.value : given;
    return typeof value === 'number' ? value : Number.NaN;
  };
  const known = (): Activation | undefined => {
    switch (className) {
      case 'ReLU':
        return ['relu', number(['negative_slope'], 0), number(['max_value'], infinity), number(['threshold'], 0)];
      case 'LeakyReLU':
        return ['relu', number(['negative_slope', 'alpha'], 0.3), infinity, 0];
      case 'ELU':
        return ['elu', number(['alpha'], 1)];
      case 'ThresholdedReLU':
        return ['relu', 0, infinity, nextAbove(number(['theta'], 1))];
      default:
        return undefined;
    }
  };
  const activation = known();
  return activation?.slice(1).some((n) => Number.isNaN(n)) ? undefined : activation;
}

/** The next float32: Keras' x > threshold is our x ≥ what follows it. */
function nextAbove(x: number): number {
  const bits = new Int32Array(1);
  const real = new Float32Array(bits.buffer);
  real[0] = x;
  if (real[0] === 0) return 2 ** -149;
  bits[0] = bits[0]! + (real[0]! > 0 ? 1 : -1);
  return real[0]!;
}

/** The single function of a recurrent layer's option. */
export function cellActivation(context: LayerContext, value: unknown): Activation {
  const chain = chainOf(context, value);
  if (chain && chain.length <= 1) return chain[0] ?? ['linear'];
  return refuseLayer(
    context,
    `activation ${show(value)} inside a recurrent cell`,
    `known there: ${names((f) => f.length <= 1)}`,
  );
}

function names(which: (chain: readonly Activation[]) => boolean): string {
  return [...Object.keys(functions).filter((name) => which(functions[name]!)), 'hard_sigmoid'].join(', ');
}

/** Adds an activation after a value. */
export function applyActivation(
  context: LayerContext,
  tensor: KerasTensor,
  value: unknown,
  suffix = '/activation',
): KerasTensor {
  const { builder, name } = context;
  const add = (op: string, x: string) => builder.add(op, name + suffix, { x }).y!;
  const unary: Unary = (x, f) => builder.add('unary', name + suffix, { x }, { function: activationAttribute(f) }).y!;
  const binary: Binary = (fn, a, b) => builder.add('binary', name + suffix, { a, b }, { function: fn }).y!;
  const x = tensor.value;
  const chain = chainOf(context, value);
  if (chain) return { ...tensor, value: chain.reduce(unary, x) };
  const written = isJson(value) && value.class_name === 'Softmax' ? 'softmax' : (activationName(value) ?? '');
  if (Object.hasOwn(composed, written)) return { ...tensor, value: composed[written]!(unary, binary, x) };
  if (written === 'softmax') return { ...tensor, value: add('softmax', x) };
  if (written === 'log_softmax') {
    // Where float32 would underflow to log 0 = −∞, the smallest normal number stays: −87.3.
    return { ...tensor, value: unary(unary(add('softmax', x), ['clip', 2 ** -126, 1]), ['log']) };
  }
  if (written === 'glu') return { ...tensor, value: gatedLinear(context, x, unary, binary) };
  const hint = `known: ${[...Object.keys(functions), ...Object.keys(composed), ...special].join(', ')}`;
  return refuseLayer(context, `activation ${show(value)} is not known`, hint);
}

/** Halves of the features: a ⊙ σ(b). */
function gatedLinear(context: LayerContext, x: string, unary: Unary, binary: Binary): string {
  const { builder, name } = context;
  const width = builder.type(x).shape.at(-1) ?? 1;
  if (width % 2 !== 0) refuseLayer(context, `halves an odd number of features, ${width}`);
  const a = builder.add('slice', `${name}/a`, { x }, { from: 0, to: width / 2 }).y!;
  const b = builder.add('slice', `${name}/b`, { x }, { from: width / 2, to: width }).y!;
  return binary('multiply', a, unary(b, ['sigmoid']));
}
