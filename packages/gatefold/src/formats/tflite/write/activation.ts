import { type Activation, functionTable, type Node, parseActivation } from '@gatefold/runtime';
import type { Emitter } from './emit.ts';

const direct: Partial<Record<Activation[0], string>> = {
  tanh: 'TANH',
  sigmoid: 'LOGISTIC',
  exp: 'EXP',
  log: 'LOG',
  sqrt: 'SQRT',
  square: 'SQUARE',
  abs: 'ABS',
  negate: 'NEG',
};

/** The activation of an attribute with all its constants. */
export function activationOf(node: Node, name: string, otherwise: Activation = ['linear']): [Activation[0], number[]] {
  const [kind, ...given] = parseActivation(node.attributes[name] ?? otherwise)!;
  return [kind, functionTable[kind].parameters.map((value, i) => given[i] ?? value)];
}

/** Applies a function element by element; returns the tensor of its result, of the shape of `x`. */
export function emitActivation(
  emitter: Emitter,
  node: Node,
  [kind, constants]: readonly [Activation[0], readonly number[]],
  x: number,
  into?: number,
): number {
  const { builder } = emitter;
  const shape = builder.shapeOf(x);
  let count = 0;
  const fresh = () => emitter.between(node, `${kind}${count++}`, shape);
  const binary = (name: string, a: number, b: number, last = false): number => {
    const y = last && into !== undefined ? into : fresh();
    builder.operator(name, [a, b], [y], name === 'MAXIMUM' || name === 'MINIMUM' ? {} : { activation: 0 });
    return y;
  };
  const single = (
    name: string,
    a: number,
    last = false,
    options: Record<string, number | boolean> = {},
    version = 1,
  ) => {
    const y = last && into !== undefined ? into : fresh();
    builder.operator(name, [a], [y], options, version);
    return y;
  };
  const scalar = (value: number) => emitter.scalar(node, value);
  const bounded = (v: number, low: number, high: number) =>
    binary('MINIMUM', binary('MAXIMUM', v, scalar(low)), scalar(high), true);
  const affine = (v: number, a: number, b: number, last = false) =>
    b === 0
      ? binary('MUL', v, scalar(a), last)
      : binary('ADD', a === 1 ? v : binary('MUL', v, scalar(a)), scalar(b), last);
  const [p = 0, q = 0, r = 0] = constants;
  const name = direct[kind];
  if (name !== undefined) return single(name, x, true);
  switch (kind) {
    case 'linear':
      return into === undefined ? x : affine(x, 1, 0, true);
    case 'relu':
      if (r !== 0) break;
      if (p === 0 && q === Number.POSITIVE_INFINITY) return single('RELU', x, true);
      if (p === 0) return bounded(x, 0, q);
      if (q === Number.POSITIVE_INFINITY) return single('LEAKY_RELU', x, true, { alpha: p });
      break;
    case 'elu':
      if (p === 1) return single('ELU', x, true);
      break;
    case 'hardSigmoid':
      return bounded(affine(x, p, q), 0, 1);
    case 'clip':
      return bounded(x, p, q);
    case 'affine':
      return affine(x, p, q, true);
    case 'oneMinus':
      return binary('SUB', scalar(1), x, true);
    case 'reciprocal':
      return binary('DIV', scalar(1), x, true);
    case 'swish':
      return binary('MUL', x, single('LOGISTIC', x), true);
    case 'softsign':
      return binary('DIV', x, affine(single('ABS', x), 1, 1), true);
    case 'gelu':
    case 'geluTanh':
      return single('GELU', x, true, { approximate: kind === 'geluTanh' });
    default:
  }
  return emitter.refuse(node, `function ${kind}(${constants.join(', ')}) has no operator`);
}
