import type { OpContext, OpDefinition, ValueType } from '../context.ts';

/** y = kernel·x + bias over the last dimension; kernel [outputs, inputs]. */
const dense: OpDefinition = {
  op: 'dense',
  inputs: ['x'],
  outputs: ['y'],
  weights: ['kernel', 'bias'],
  attributes: [],
  infer(context) {
    const x = context.input('x');
    const [outputs] = context.weight('kernel', [-1, context.width(x)]);
    context.optionalWeight('bias', [outputs!]);
    context.macsPerRow = outputs! * x.shape[0]!;
    return { y: { ...x, shape: [outputs!], dtype: 'float32' } };
  },
};

/** The same vector, one row per batch element: a learned initial state. */
const constant: OpDefinition = {
  op: 'constant',
  inputs: [],
  outputs: ['y'],
  weights: ['value'],
  attributes: [],
  infer(context) {
    const [width] = context.weight('value', [-1]);
    return { y: { time: 0, shape: [width!], dtype: 'float32' } };
  },
};

/** Rows of `table` [vocabulary, width] by whole-number ids. */
const embedding: OpDefinition = {
  op: 'embedding',
  inputs: ['x'],
  outputs: ['y'],
  weights: ['table'],
  attributes: [],
  infer(context) {
    const x = context.input('x');
    if (x.shape.length > 1 || (x.shape[0] ?? 1) !== 1) {
      context.refuse('MODEL_UNSUPPORTED', 'takes one id per step', {
        expected: '[batch, time] or [batch, time, 1]',
        found: context.show(x),
        hint: 'flatten ids into the time dimension, or look up each in its own embedding',
      });
    }
    const [, width] = context.weight('table', [-1, -1]);
    return { y: { time: x.time, shape: [width!], dtype: 'float32' } };
  },
};

/** The time class of windows of `size` over x; `padding` is [left, right] in steps. Right padding needs the whole. */
export function windows(context: OpContext, x: ValueType): { time: number; size: number } {
  context.requireTime(x);
  const size = context.whole('size', 1, 1 << 16);
  const stride = context.whole('stride', 1, 1 << 16, 1);
  const dilation = context.whole('dilation', 1, 1 << 16, 1);
  const reach = (size - 1) * dilation + 1;
  const [left = -1, right = -1] = context.node.attributes.padding === undefined ? [0, 0] : context.wholes('padding');
  if (left < 0 || right < 0 || left >= reach || right >= reach) {
    context.refuse('MODEL_INVALID', 'padding must be [left, right], each from 0 to less than a window', {
      found: `[${left}, ${right}]`,
    });
  }
  if (right > 0) context.needsWhole('it is padded on the right (it looks ahead)');
  const time = context.time({ kind: 'window', of: x.time, reach, stride, left, right });
  const length = context.length(time);
  if (length !== undefined && length < 1) {
    context.refuse('MODEL_SHAPE', 'the sequence is shorter than a window', {
      expected: `${reach} steps`,
      found: context.show(x),
    });
  }
  return { time, size };
}

/**
 * Convolution over time. kernel [outputs, size·inputs/groups], columns tap-major; group g of outputs reads group g of
 * inputs. Depthwise convolution is groups = inputs.
 */
const conv1d: OpDefinition = {
  op: 'conv1d',
  inputs: ['x'],
  outputs: ['y'],
  weights: ['kernel', 'bias'],
  attributes: ['size', 'stride', 'dilation', 'padding', 'groups'],
  infer(context) {
    const x = context.input('x');
    const features = context.width(x);
    const groups = context.whole('groups', 1, features, 1);
    const { time, size } = windows(context, x);
    if (features % groups !== 0)
      context.refuse('MODEL_SHAPE', 'features are not divisible by groups', { found: `${features} / ${groups}` });
    const columns = (size * features) / groups;
    const [outputs] = context.weight('kernel', [-1, columns]);
    if (outputs! % groups !== 0)
      context.refuse('MODEL_SHAPE', 'outputs are not divisible by groups', { found: `${outputs} / ${groups}` });
    context.optionalWeight('bias', [outputs!]);
    context.macsPerRow = outputs! * columns;
    return { y: { time, shape: [outputs!], dtype: 'float32' } };
  },
};

export const linearOps = [dense, constant, embedding, conv1d];
