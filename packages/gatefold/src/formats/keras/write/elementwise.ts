import type { Activation, Node } from '@gatefold/runtime';
import { activationName, functionOf } from './activations.ts';
import { bidirectional } from './bidirectional.ts';
import type { Emitter } from './emitter.ts';
import type { LayerTensor } from './types.ts';

type Maker = (e: Emitter, node: Node) => void;

const infinity = Number.POSITIVE_INFINITY;

/** a·x + b, element by element. Rescaling loses masks in Keras 2 and keeps them in Keras 3. */
function rescaled(e: Emitter, name: string, x: LayerTensor, scale: number, offset: number): LayerTensor {
  return e.add('Rescaling', name, { scale, offset }, [x]);
}

/** The layers of ReLU with its three numbers. */
function relu(e: Emitter, node: Node, x: LayerTensor, [slope, max, threshold]: readonly number[]): LayerTensor {
  const [a, m, t] = [slope ?? 0, max ?? infinity, threshold ?? 0];
  if (a < 0 || m < 0 || t < 0) e.refuse(node, 'a ReLU with a negative number');
  if (e.dialect !== 'tfjs') {
    return e.add('ReLU', node.name, { max_value: m === infinity ? null : m, negative_slope: a, threshold: t }, [x]);
  }
  if (a === 0 && t === 0) return e.add('ReLU', node.name, m === infinity ? {} : { max_value: m }, [x]);
  if (t === 0 && m === infinity) return e.add('LeakyReLU', node.name, { alpha: a }, [x]);
  return e.refuse(node, 'a ReLU with a threshold');
}

/** Functions that Keras has no name for, made of what it has. */
const composed: Readonly<
  Record<string, (e: Emitter, node: Node, x: LayerTensor, numbers: readonly number[]) => LayerTensor>
> = {
  relu,
  elu(e, node, x, [alpha = 1]) {
    if (e.dialect === 'tfjs') e.refuse(node, 'an ELU with a factor of its own');
    return e.add('ELU', node.name, { alpha }, [x]);
  },
  affine: (e, { name }, x, [a = 1, b = 0]) => rescaled(e, name, x, a, b),
  negate: (e, { name }, x) => rescaled(e, name, x, -1, 0),
  oneMinus: (e, { name }, x) => rescaled(e, name, x, -1, 1),
  abs: (e, { name }, x) => e.add('Maximum', name, {}, [x, rescaled(e, `${name}/negative`, x, -1, 0)]),
  square: (e, { name }, x) => e.add('Multiply', name, {}, [x, x]),
  clip(e, { name }, x, [low = -1, high = 1]) {
    const constant = (which: string, value: number) => rescaled(e, `${name}/${which}`, x, 0, value);
    const above = low === -infinity ? x : e.add('Maximum', `${name}/above`, {}, [x, constant('low', low)]);
    return high === infinity ? above : e.add('Minimum', name, {}, [above, constant('high', high)]);
  },
  hardSigmoid: (e, node, x, [a = 0.2, b = 0.5]) =>
    relu(e, node, rescaled(e, `${node.name}/scaled`, x, a, b), [0, 1, 0]),
  hardSwish(e, node, x, [a = 1 / 6, b = 0.5]) {
    const gate = relu(e, node, rescaled(e, `${node.name}/scaled`, x, a, b), [0, 1, 0]);
    return e.add('Multiply', node.name, {}, [x, gate]);
  },
  geluTanh(e, { name }, x) {
    const cube = e.add('Multiply', `${name}/cube`, {}, [x, x, x]);
    const sum = e.add('Add', `${name}/sum`, {}, [x, rescaled(e, `${name}/part`, cube, 0.044715, 0)]);
    const scaled = rescaled(e, `${name}/scaled`, sum, Math.sqrt(2 / Math.PI), 0);
    const bent = e.add('Activation', `${name}/tanh`, { activation: 'tanh' }, [scaled]);
    return e.add('Multiply', name, {}, [
      rescaled(e, `${name}/half`, x, 0.5, 0),
      rescaled(e, `${name}/one`, bent, 1, 1),
    ]);
  },
};

/** Operations on tensors that Keras 3 has beside its layers. */
const operations: Readonly<Record<string, string>> = { log: 'Log', sqrt: 'Sqrt', reciprocal: 'Reciprocal' };

const numpy = 'keras.src.ops.numpy';

/** The input of a softmax whose logarithm a node takes, as activations of that name are read. */
function logOfSoftmax(e: Emitter, node: Node): string | undefined {
  const clip = e.producer(node.inputs.x!);
  if (clip?.op !== 'unary' || functionOf(clip)[0] !== 'clip') return undefined;
  const [, low, high] = functionOf(clip);
  const softmax = low === 2 ** -126 && high === 1 ? e.producer(clip.inputs.x!) : undefined;
  return softmax?.op === 'softmax' ? softmax.inputs.x : undefined;
}

/** A function of one tensor after another tensor. */
function applyFunction(
  e: Emitter,
  node: Node,
  f: Activation,
  x: () => LayerTensor,
  carrying: () => LayerTensor,
): LayerTensor {
  const [name, ...numbers] = f;
  const known = activationName(f, e.dialect);
  if (known === 'linear') return carrying();
  if (known !== undefined) {
    const input = carrying();
    return { ...e.add('Activation', node.name, { activation: known }, [input]), mask: input.mask };
  }
  if (Object.hasOwn(composed, name)) return composed[name]!(e, node, x(), numbers);
  if (e.dialect === 'keras3' && Object.hasOwn(operations, name))
    return e.add(operations[name]!, node.name, {}, [x()], { operation: numpy });
  return e.refuse(node, `it has no layer for the function "${name}"`);
}

const unary: Maker = (e, node) => {
  const y = node.outputs.y!;
  const { x } = node.inputs as { x: string };
  e.later(y, () => {
    const inner = functionOf(node)[0] === 'log' ? logOfSoftmax(e, node) : undefined;
    if (inner !== undefined) {
      return e.add('Activation', node.name, { activation: 'log_softmax' }, [e.plain(inner)]);
    }
    return applyFunction(
      e,
      node,
      functionOf(node),
      () => e.plain(x),
      () => e.carrying(x),
    );
  });
};

const merges: Readonly<Record<string, string>> = {
  add: 'Add',
  subtract: 'Subtract',
  multiply: 'Multiply',
  maximum: 'Maximum',
  minimum: 'Minimum',
};

const binary: Maker = (e, node) => {
  const { a, b } = node.inputs as { a: string; b: string };
  const fn = String(node.attributes.function);
  e.later(node.outputs.y!, () => {
    const mode = fn === 'add' ? 'sum' : fn === 'multiply' ? 'mul' : undefined;
    const pair = mode && bidirectional(e, node, a, b, mode);
    if (pair) return pair;
    const inputs = [e.plain(a), e.plain(b)];
    if (fn === 'divide') {
      if (e.dialect !== 'keras3') e.refuse(node, 'it has no layer that divides');
      return e.add('TrueDivide', node.name, {}, inputs, { operation: numpy });
    }
    if (fn === 'subtract' && e.dialect === 'tfjs')
      return e.add('Add', node.name, {}, [inputs[0]!, rescaled(e, `${node.name}/negative`, inputs[1]!, -1, 0)]);
    return e.add(merges[fn]!, node.name, {}, inputs);
  });
};

const softmax: Maker = (e, node) => {
  e.later(node.outputs.y!, () => e.add('Activation', node.name, { activation: 'softmax' }, [e.plain(node.inputs.x!)]));
};

export const elementwiseMakers: Readonly<Record<string, Maker>> = { unary, binary, softmax };
