import type { Activation } from '@gatefold/runtime';
import { activationAttribute } from '../../graph-builder.ts';
import { type LayerContext, type LayerReader, type NamedArguments, only, refuseLayer } from '../layer.ts';
import type { KerasTensor } from '../tensor.ts';
import { sameShapes } from './broadcast.ts';

// Keras 3 writes `x + y` and `2·x` of functional models as operations of the graph. They lose masks.

function unary(context: LayerContext, x: string, ...functions: readonly Activation[]): string {
  return functions.reduce(
    (value, f) => context.builder.add('unary', context.name, { x: value }, { function: activationAttribute(f) }).y!,
    x,
  );
}

/** What a number does to a tensor on its other side. */
interface Arithmetic {
  readonly fn: string;
  right(number: number): readonly Activation[] | undefined;
  left(number: number): readonly Activation[] | undefined;
}

const infinity = Number.POSITIVE_INFINITY;

const arithmetic: Readonly<Record<string, Arithmetic>> = {
  Add: { fn: 'add', right: (n) => [['affine', 1, n]], left: (n) => [['affine', 1, n]] },
  Subtract: { fn: 'subtract', right: (n) => [['affine', 1, -n]], left: (n) => [['affine', -1, n]] },
  Multiply: { fn: 'multiply', right: (n) => [['affine', n, 0]], left: (n) => [['affine', n, 0]] },
  TrueDivide: {
    fn: 'divide',
    right: (n) => (n === 0 ? undefined : [['affine', 1 / n, 0]]),
    left: (n) => [['reciprocal'], ['affine', n, 0]],
  },
  Maximum: { fn: 'maximum', right: (n) => [['clip', n, infinity]], left: (n) => [['clip', n, infinity]] },
  Minimum: { fn: 'minimum', right: (n) => [['clip', -infinity, n]], left: (n) => [['clip', -infinity, n]] },
};

function binary({ fn, left, right }: Arithmetic): LayerReader {
  return (context, inputs, { operands }) => {
    if (operands.length !== 2) return refuseLayer(context, 'is called with arguments that are not known');
    const [a, b] = operands as [Operand, Operand];
    const tensors = inputs.map(numbers(context));
    if ('constant' in a) return [{ value: withNumber(context, tensors[0]!, left, a.constant) }];
    if ('constant' in b) return [{ value: withNumber(context, tensors[0]!, right, b.constant) }];
    const [x, y] = sameShapes(context, tensors);
    return [{ value: context.builder.add('binary', context.name, { a: x!, b: y! }, { function: fn }).y! }];
  };
}

type Operand = NamedArguments['operands'][number];

function withNumber(context: LayerContext, x: string, side: Arithmetic['left'], number: unknown): string {
  const functions = typeof number === 'number' && Number.isFinite(number) ? side(number) : undefined;
  return functions ? unary(context, x, ...functions) : refuseLayer(context, 'its other operand is no plain number');
}

function numbers(context: LayerContext): (tensor: KerasTensor) => string {
  return ({ truth, value }) => (truth ? refuseLayer(context, 'computes with the result of a comparison') : value);
}

/** Functions of one tensor. */
const functions: Readonly<Record<string, readonly Activation[]>> = {
  Negative: [['negate']],
  Absolute: [['abs']],
  Square: [['square']],
  Sqrt: [['sqrt']],
  Exp: [['exp']],
  Log: [['log']],
  Tanh: [['tanh']],
  Reciprocal: [['reciprocal']],
  Sigmoid: [['sigmoid']],
  Relu: [['relu']],
  Silu: [['swish']],
  Softplus: [['softplus']],
  Softsign: [['softsign']],
};

export const arithmeticOperations: Readonly<Record<string, LayerReader>> = {
  ...Object.fromEntries(Object.entries(arithmetic).map(([name, meaning]) => [name, binary(meaning)])),
  ...Object.fromEntries(
    Object.entries(functions).map(([name, chain]): [string, LayerReader] => [
      name,
      (context, inputs) => [{ value: unary(context, numbers(context)(only(context, inputs)), ...chain) }],
    ]),
  ),
};
