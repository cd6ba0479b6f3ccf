import { sizeOf } from '../../tensor/index.ts';
import type { OpContext, OpDefinition, ValueType } from '../context.ts';
import { hasTime } from '../time.ts';
import { reduceFunctions } from './elementwise.ts';
import { windows } from './linear.ts';

/** The last step of a sequence. While streaming: the newest. */
const last: OpDefinition = {
  op: 'last',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: [],
  infer(context) {
    const x = context.requireTime(context.input('x'));
    return { y: { ...x, time: context.time({ kind: 'last', of: x.time }) } };
  },
};

const reverse: OpDefinition = {
  op: 'reverse',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: [],
  infer(context) {
    context.needsWhole('it reverses time');
    return { y: context.requireTime(context.input('x')) };
  },
};

/** Maximum or mean of `size` neighbouring steps; padded steps do not count. */
const pool: OpDefinition = {
  op: 'pool',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['function', 'size', 'stride', 'padding'],
  infer(context) {
    const x = context.input('x');
    context.width(x);
    context.word('function', ['max', 'mean']);
    return { y: { ...x, time: windows(context, x).time, dtype: 'float32' } };
  },
};

/** Over all steps (that the mask keeps). */
const reduceTime: OpDefinition = {
  op: 'reduceTime',
  inputs: ['x', 'mask'],
  outputs: ['y'],
  weights: [],
  attributes: ['function'],
  infer(context) {
    const x = context.requireTime(context.input('x'));
    context.width(x);
    context.word('function', reduceFunctions);
    if (context.optional('mask')) context.sameTime([x, context.input('mask')]);
    context.needsWhole('it reduces over all steps');
    return { y: { time: context.time({ kind: 'last', of: x.time }), shape: x.shape, dtype: 'float32' } };
  },
};

/** Along the features. */
const concat: OpDefinition = {
  op: 'concat',
  inputs: 'list',
  outputs: ['y'],
  weights: [],
  attributes: [],
  infer(context) {
    const parts = context.list(1);
    const width = parts.reduce((sum, part) => sum + context.width(part), 0);
    return { y: { time: context.sameTime(parts), shape: [width], dtype: 'float32' } };
  },
};

/** Features `from` … `to` − 1. */
const slice: OpDefinition = {
  op: 'slice',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['from', 'to'],
  infer(context) {
    const x = context.input('x');
    const width = context.width(x);
    const from = context.whole('from', 0, width - 1, 0);
    const to = context.whole('to', from + 1, width, width);
    return { y: { ...x, shape: [to - from] } };
  },
};

/** Most elements a view may have: its index table stands in memory. */
const mostViewed = 1 << 20;

/**
 * Features picked along strides: element (i1, i2, …), row-major over `sizes`, is feature offset + Σ ik·stridek of x.
 * Covers permutations of inner dimensions, steps, flips (negative strides) and repetition (stride 0).
 */
const view: OpDefinition = {
  op: 'view',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['offset', 'sizes', 'strides'],
  infer(context) {
    const x = context.input('x');
    const width = context.width(x);
    const sizes = context.wholes('sizes');
    const strides = context.wholes('strides');
    const offset = context.whole('offset', 0, width - 1, 0);
    const reach = sizes.map((size, i) => (size - 1) * (strides[i] ?? 0));
    const low = reach.reduce((sum, r) => sum + Math.min(r, 0), offset);
    const high = reach.reduce((sum, r) => sum + Math.max(r, 0), offset);
    if (sizes.length !== strides.length || sizes.some((n) => n < 1) || sizeOf(sizes) > mostViewed) {
      context.refuse('MODEL_INVALID', 'sizes and strides do not fit', { found: `[${sizes}] and [${strides}]` });
    }
    if (low < 0 || high >= width) {
      context.refuse('MODEL_SHAPE', 'it reaches outside its input', {
        expected: `features 0 … ${width - 1}`,
        found: `${low} … ${high}`,
      });
    }
    return { y: { ...x, shape: [sizeOf(sizes)] } };
  },
};

/** Maximum or mean over groups of features: of `size` runs of width/size features each, element by element. */
const reduceFeatures: OpDefinition = {
  op: 'reduceFeatures',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['function', 'size'],
  infer(context) {
    const x = context.input('x');
    const width = context.width(x);
    context.word('function', ['max', 'mean']);
    const size = context.whole('size', 1, width, width);
    if (width % size !== 0) {
      context.refuse('MODEL_SHAPE', 'features are not divisible by the size', { found: `${width} / ${size}` });
    }
    return { y: { time: x.time, shape: [width / size], dtype: 'float32' } };
  },
};

function knownSteps(context: OpContext, x: ValueType): number {
  const hint = 'give the model a fixed number of steps';
  const found = context.show(x);
  return context.length(x.time) ?? context.refuse('MODEL_SHAPE', 'the number of steps must be known', { found, hint });
}

/**
 * Row-major reshape of what follows the batch. `shape` lists the new inner dimensions; `time: true` makes the first of
 * them steps. `keepTime` leaves the steps as they are and reshapes each.
 */
const reshape: OpDefinition = {
  op: 'reshape',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['shape', 'time', 'keepTime'],
  infer(context) {
    const x = context.input('x');
    const shape = context.wholes('shape');
    if (shape.some((n) => n < 1))
      context.refuse('MODEL_INVALID', 'dimensions must be positive', { found: `[${shape}]` });
    if (context.flag('keepTime')) {
      if (sizeOf(shape) !== sizeOf(x.shape)) {
        context.refuse('MODEL_SHAPE', 'sizes differ', { expected: context.show(x), found: `[${shape}]` });
      }
      return { y: { ...x, shape } };
    }
    const timed = hasTime(context.times[x.time]!);
    const steps = knownSteps(context, x);
    if (sizeOf(shape) !== sizeOf(x.shape) * steps) {
      context.refuse('MODEL_SHAPE', 'sizes differ', { expected: context.show(x), found: `[${shape}]` });
    }
    if (timed) context.needsWhole('it joins all steps');
    const toTime = context.flag('time');
    if (toTime) context.needsWhole('it makes steps out of features');
    return {
      y: toTime
        ? { ...x, time: context.time({ kind: 'fixed', length: shape[0]! }), shape: shape.slice(1) }
        : { ...x, time: timed ? context.time({ kind: 'last', of: x.time }) : x.time, shape },
    };
  },
};

/** [batch, time, features] → [batch, features, time], of a known number of steps. */
const transpose: OpDefinition = {
  op: 'transpose',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: [],
  infer(context) {
    const x = context.requireTime(context.input('x'));
    const steps = knownSteps(context, x);
    context.needsWhole('it exchanges time and features');
    return { y: { ...x, time: context.time({ kind: 'fixed', length: context.width(x) }), shape: [steps] } };
  },
};

/** One vector repeated `times` steps (a value without time), or each step repeated (a sequence). */
const repeat: OpDefinition = {
  op: 'repeat',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['times'],
  infer(context) {
    const x = context.input('x');
    const times = context.whole('times', 1, 1 << 20);
    if (hasTime(context.times[x.time]!))
      return { y: { ...x, time: context.time({ kind: 'repeat', of: x.time, times }) } };
    context.needsWhole('it makes steps out of one vector');
    return { y: { ...x, time: context.time({ kind: 'fixed', length: times }) } };
  },
};

/** Steps of zeros before and after; negative amounts crop. */
const pad: OpDefinition = {
  op: 'pad',
  inputs: ['x'],
  outputs: ['y'],
  weights: [],
  attributes: ['left', 'right'],
  infer(context) {
    const x = context.requireTime(context.input('x'));
    const left = context.whole('left', -(1 << 20), 1 << 20, 0);
    const right = context.whole('right', -(1 << 20), 1 << 20, 0);
    context.needsWhole('it pads or crops the sequence');
    const time = context.time({ kind: 'shift', of: x.time, left, right });
    if ((context.length(time) ?? 1) < 1) context.refuse('MODEL_SHAPE', 'nothing is left', { found: context.show(x) });
    return { y: { ...x, time } };
  },
};

export const sequenceOps = [
  last,
  reverse,
  pool,
  reduceTime,
  concat,
  slice,
  view,
  reduceFeatures,
  reshape,
  transpose,
  repeat,
  pad,
];
