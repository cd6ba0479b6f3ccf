import type { OpDefinition } from '../context.ts';

export const binaryFunctions = ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum'] as const;
export const reduceFunctions = ['max', 'mean', 'sum'] as const;
export const normalizationKinds = ['layer', 'rms', 'unit'] as const;

const unary: OpDefinition = {
  op: 'unary',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['function'],
  infer(context) {
    context.activation('function');
    return { y: { ...context.input('x'), dtype: 'float32' } };
  },
};

/** a ∘ b, element by element; both of one shape and number of steps. */
const binary: OpDefinition = {
  op: 'binary',
  inputs: ['a', 'b'],
  outputs: ['y'],
  weights: [],
  attributes: ['function'],
  infer(context) {
    const a = context.input('a');
    const b = context.input('b');
    context.word('function', binaryFunctions);
    if (a.shape.join() !== b.shape.join()) {
      context.refuse('MODEL_SHAPE', 'its inputs differ in shape', {
        expected: context.show(a),
        found: context.show(b),
      });
    }
    return { y: { time: context.sameTime([a, b]), shape: a.shape, dtype: 'float32' } };
  },
};

/**
 * x⊙scale + shift, each [features]: what batch normalization becomes at inference. With `epsilon` scale and shift are
 * statistics, 1/√(variance + epsilon) and −mean·scale, for which training takes the batch's own.
 */
const scaleShift: OpDefinition = {
  op: 'scaleShift',
  inputs: ['x'],
  outputs: ['y'],
  weights: ['scale', 'shift'],
  attributes: ['epsilon'],
  infer(context) {
    const x = context.input('x');
    const width = context.width(x);
    const isStatistics = context.node.attributes.epsilon !== undefined;
    const weight = (role: string) =>
      isStatistics ? context.weight(role, [width]) : context.optionalWeight(role, [width]);
    weight('scale');
    weight('shift');
    if (isStatistics && !(context.real('epsilon') > 0)) context.refuse('MODEL_INVALID', 'epsilon must be positive');
    return { y: { ...x, dtype: 'float32' } };
  },
};

/** x > 0: x; else slope⊙x (He et al. 2015); slope [features]. */
const prelu: OpDefinition = {
  op: 'prelu',
  inputs: ['x'],
  outputs: ['y'],
  weights: ['slope'],
  attributes: [],
  infer(context) {
    const x = context.input('x');
    context.weight('slope', [context.width(x)]);
    return { y: { ...x, dtype: 'float32' } };
  },
};

const softmax: OpDefinition = {
  op: 'softmax',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: [],
  infer(context) {
    const x = context.input('x');
    context.width(x);
    return { y: { ...x, dtype: 'float32' } };
  },
};

/**
 * Over the features of each row. layer: (x − mean)/√(variance + epsilon) (Ba et al. 2016); rms: x/√(mean x² + epsilon)
 * (Zhang & Sennrich 2019); unit: x/√max(Σx², epsilon). Then ⊙gamma + beta where given.
 */
const normalization: OpDefinition = {
  op: 'normalization',
  inputs: ['x'],
  outputs: ['y'],
  weights: ['gamma', 'beta'],
  attributes: ['kind', 'epsilon'],
  infer(context) {
    const x = context.input('x');
    const width = context.width(x);
    context.word('kind', normalizationKinds);
    if (context.real('epsilon') < 0) context.refuse('MODEL_INVALID', 'epsilon must not be negative');
    context.optionalWeight('gamma', [width]);
    context.optionalWeight('beta', [width]);
    return { y: { ...x, dtype: 'float32' } };
  },
};

/** 1 where any feature differs from `value`, else 0 (Keras' Masking); a [batch, time, 1] value. */
const mask: OpDefinition = {
  op: 'mask',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['value'],
  infer(context) {
    const x = context.input('x');
    if (x.shape.length > 1) context.width(x);
    context.real('value');
    return { y: { time: x.time, shape: [1], dtype: 'float32' } };
  },
};

/** x where mask ≠ 0, else 0. */
const applyMask: OpDefinition = {
  op: 'applyMask',
  inputs: ['x', 'mask'],
  outputs: ['y'],
  weights: [],
  attributes: [],
  infer(context) {
    const x = context.input('x');
    return { y: { ...x, time: context.sameTime([x, context.input('mask')]) } };
  },
};

export const elementwiseOps = [unary, binary, scaleShift, prelu, softmax, normalization, mask, applyMask];
