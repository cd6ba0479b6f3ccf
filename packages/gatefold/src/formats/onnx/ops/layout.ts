import { sizeOf } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import { rangeOf } from '../graph/indices.ts';
import {
  type Axis,
  constant,
  type Dim,
  dimsOf,
  type Fill,
  feature,
  isFeature,
  isUnknown,
  showDim,
  showTensor,
  type Tensor,
  type Value,
} from '../graph/tensor.ts';
import { lastStep, stepsOf } from '../graph/time.ts';
import { broadcastValue } from './elementwise.ts';
import { splitSizes, squeezed, targetShape, unsqueezed } from './fold.ts';
import { reshapeValue } from './reshape.ts';
import { slicesOf } from './slice-ranges.ts';
import type { Handler } from './types.ts';

/** Runs on values; tensors of one number everywhere only change their shape. */
function layout(
  attributes: readonly string[],
  onValue: (call: Call, x: Value) => readonly Tensor[],
  onFill: (call: Call, x: Fill) => readonly Tensor[] = (call) => call.refuse('works on a tensor of unknown length'),
): Handler {
  return {
    attributes,
    run(call) {
      const x = call.input(0);
      if (x.kind === 'value') return onValue(call, x);
      return x.kind === 'fill'
        ? onFill(call, x)
        : call.refuse('works on a constant beside values', { found: showTensor(x) });
    },
  };
}

const at = <T>(items: readonly T[], i: number): T => items[i]!;

/** An axis of length 1 taken away: of the batch where the file fixes it to one, of time as its only step. */
export function dropAxis(call: Call, x: Value, axis: number): Value {
  const gone = at(x.axes, axis);
  if (gone.role === 'time') {
    if (isUnknown(gone.size)) {
      call.refuse('takes away the time, whose length the file leaves open', {
        found: showTensor(x),
        hint: `fix it: --fix ${gone.size.symbol}=number`,
      });
    }
    return dropAxis(call, lastStep(call, x), axis);
  }
  if (gone.size !== 1) call.refuse('takes away an axis that is not known to be 1', { found: showTensor(x) });
  return { ...x, axes: x.axes.filter((_, i) => i !== axis) };
}

const squeeze = layout(
  ['axes'],
  (call, x) => {
    const kept = squeezed(call, dimsOf(x), call.list('axes', 1));
    return [
      x.axes
        .map((_, i) => i)
        .filter((i) => !kept.includes(i))
        .reverse()
        .reduce((value, i) => dropAxis(call, value, i), x),
    ];
  },
  (call, x) => {
    const kept = squeezed(call, x.dims, call.list('axes', 1));
    return [{ ...x, dims: kept.map((i) => at(x.dims, i)) }];
  },
);

const unsqueeze = layout(
  ['axes'],
  (call, x) => {
    const from = unsqueezed(call, x.axes.length, call.list('axes', 1));
    return [{ ...x, axes: from.map((i) => (i < 0 ? feature(1) : at(x.axes, i))) }];
  },
  (call, x) => {
    const from = unsqueezed(call, x.dims.length, call.list('axes', 1));
    return [{ ...x, dims: from.map((i): Dim => (i < 0 ? 1 : at(x.dims, i))) }];
  },
);

function permutation(call: Call, rank: number): readonly number[] {
  const perm = call.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (perm.length !== rank || [...perm].sort((a, b) => a - b).some((n, i) => n !== i)) {
    call.fail('MODEL_SHAPE', 'perm is no permutation of its axes', { found: `[${perm}]` });
  }
  return perm;
}

const transpose = layout(
  ['perm'],
  (call, x) => [{ ...x, axes: permutation(call, x.axes.length).map((i) => at(x.axes, i)) }],
  (call, x) => [{ ...x, dims: permutation(call, x.dims.length).map((i) => at(x.dims, i)) }],
);

function shapeOf(call: Call, from: readonly Dim[]): Dim[] {
  const wanted = call.asConstant(call.input(1), 'shape');
  return targetShape(call, Array.from(wanted.data as ArrayLike<Dim>), from);
}

const reshape = layout(
  ['allowzero', 'shape'],
  (call, x) => [reshapeValue(call, x, shapeOf(call, dimsOf(x)))],
  (call, x) => [{ ...x, dims: shapeOf(call, x.dims).map((n) => (n === -1 ? { symbol: `${call.name}?` } : n)) }],
);

const flatten = layout(['axis'], (call, x) => {
  const axis = call.int('axis', 1);
  const cut = axis < 0 ? axis + x.axes.length : axis;
  const ahead = x.axes.slice(0, cut);
  const first = ahead.reduce<Dim>(
    (n, { size }) => (n === 1 ? size : size === 1 ? n : isUnknown(n) || isUnknown(size) ? -1 : n * size),
    1,
  );
  const second = x.axes.slice(cut).some(({ size }) => isUnknown(size))
    ? call.refuse('joins an open length with features')
    : -1;
  return [
    reshapeValue(call, x, [
      first,
      first === -1 ? x.axes.slice(cut).reduce((n, { size }) => n * (size as number), 1) : second,
    ]),
  ];
});

/** Steps `start` … `end` − 1 of a sequence. */
function sliceTime(call: Call, x: Value, axis: number, start: number, end: number, step: number): Value {
  const steps = stepsOf(x);
  const far = 2 ** 31 - 1;
  if (step === -1 && (start === -1 || start >= (steps ?? far) - 1) && end <= -(steps ?? far)) {
    return { ...x, name: call.add('reverse', { x: x.name }, {}, {}, '/reverse') };
  }
  if (step !== 1) call.refuse('takes every so manieth step of time', { found: `step ${step}` });
  if (start === -1 && end >= (steps ?? far)) return lastStep(call, x);
  const left =
    start >= 0
      ? start
      : steps === undefined
        ? call.refuse('cuts time from the end', { found: String(start) })
        : Math.max(0, steps + start);
  let right: number;
  if (end < 0) right = -end;
  else if (steps !== undefined) right = Math.max(0, steps - end);
  else
    right =
      end >= far ? 0 : call.refuse('cuts time at a step, and the file leaves its length open', { found: String(end) });
  if (left === 0 && right === 0) return x;
  const name = call.add('pad', { x: x.name }, { left: -left, right: -right }, {}, '/crop');
  const size: Dim = steps === undefined ? { symbol: `${call.name}:time` } : steps - left - right;
  return { ...x, name, axes: x.axes.map((old, i): Axis => (i === axis ? { role: 'time', size } : old)) };
}

const slice = layout(
  ['starts', 'ends', 'axes'],
  (call: Call, x) => {
    let value = x;
    for (const { axis, start, end, step } of slicesOf(call, x.axes.length)) {
      const old = at(value.axes, axis);
      if (old.role === 'time') {
        value = sliceTime(call, value, axis, start, end, step);
        continue;
      }
      const size = isUnknown(old.size) ? undefined : old.size;
      if (!isFeature(old)) {
        if (step === 1 && (start === 0 || start <= -(size ?? 2 ** 31)) && end >= (size ?? 2 ** 31 - 1)) continue;
        call.refuse(`cuts the ${old.role}`);
      }
      const range = rangeOf(old.size, start, end, step);
      if (range.count === 0) call.fail('MODEL_SHAPE', 'nothing is left');
      value = {
        ...value,
        offset: value.offset + range.start * old.stride,
        axes: value.axes.map((other, i) => (i === axis ? feature(range.count, old.stride * range.step) : other)),
      };
    }
    return [value];
  },
  (call, x) => {
    const dims = [...x.dims];
    for (const { axis, start, end, step } of slicesOf(call, x.dims.length)) {
      const old = at(dims, axis);
      dims[axis] = isUnknown(old)
        ? start === 0 && end > 2 ** 30
          ? old
          : { symbol: `${call.name}?` }
        : rangeOf(old, start, end, step).count;
    }
    return [{ ...x, dims }];
  },
);

const split = layout(
  ['axis', 'split', 'num_outputs'],
  (call, x) => {
    const axis = call.axis(call.int('axis', 0), x.axes.length);
    const old = at(x.axes, axis);
    if (call.node.output.length === 1 && !call.inputs[1] && !call.has('split')) return [x];
    if (!isFeature(old)) return call.refuse(`splits the ${old.role}`);
    let from = 0;
    return splitSizes(call, old.size, call.list('split', 1)).map((size) => {
      const part = {
        ...x,
        offset: x.offset + from * old.stride,
        axes: x.axes.map((other, i) => (i === axis ? feature(size, old.stride) : other)),
      };
      from += size;
      return part;
    });
  },
  (call, x) => {
    const axis = call.axis(call.int('axis', 0), x.dims.length);
    const size = at(x.dims, axis);
    if (isUnknown(size)) return call.refuse('splits a length that the file leaves open');
    return splitSizes(call, size, call.list('split', 1)).map((n) => ({
      ...x,
      dims: x.dims.map((d, i) => (i === axis ? n : d)),
    }));
  },
);

const expand = layout(
  [],
  (call, x) => {
    const shape = Array.from(call.asConstant(call.input(1), 'shape').data as ArrayLike<Dim>);
    const rank = Math.max(shape.length, x.axes.length);
    const axes = Array.from({ length: rank }, (_, i): Axis => {
      const mine = x.axes[i - rank + x.axes.length];
      const wanted = shape[i - rank + shape.length] ?? 1;
      if (mine && (!isFeature(mine) || wanted === 1 || mine.size === wanted)) return mine;
      return isUnknown(wanted) ? call.refuse('repeats to a length that the file leaves open') : feature(wanted);
    });
    return [broadcastValue(call, x, axes)];
  },
  (call, x) => [{ ...x, dims: Array.from(call.asConstant(call.input(1), 'shape').data as ArrayLike<Dim>) }],
);

const tile = layout([], (call, x) => {
  const repeats = Array.from(call.numbers(call.input(1), 'repeats'));
  if (repeats.length !== x.axes.length) call.fail('MODEL_SHAPE', 'its repeats do not fit', { found: `[${repeats}]` });
  const axes = x.axes.map((axis, i): Axis => {
    if (repeats[i] === 1) return axis;
    const single = isFeature(axis) && axis.size === 1;
    return single && repeats[i]! >= 1
      ? feature(repeats[i]!)
      : call.refuse('repeats more than a single place', { found: showTensor(x) });
  });
  return [{ ...x, axes }];
});

/** What passes its input on. */
const same = (attributes: readonly string[]): Handler => ({ attributes, run: (call) => [call.input(0)] });

/** Lengths of axes from attributes `start` to `end` (opset 15). */
const shape: Handler = {
  attributes: ['start', 'end'],
  run(call) {
    const dims = dimsOf(call.input(0));
    const { start, count } = rangeOf(dims.length, call.int('start', 0), call.int('end', dims.length), 1);
    const part = dims.slice(start, start + count);
    return [constant('int', [part.length], part.some(isUnknown) ? part : Float64Array.from(part as number[]))];
  },
};

const size: Handler = {
  attributes: [],
  run(call) {
    const dims = dimsOf(call.input(0));
    const known = dims.filter((dim): dim is number => !isUnknown(dim));
    const count: Dim = known.length < dims.length ? { symbol: `(${dims.map(showDim).join(' * ')})` } : sizeOf(known);
    return [constant('int', [], isUnknown(count) ? [count] : Float64Array.of(count))];
  },
};

export const layoutHandlers: Readonly<Record<string, Handler>> = {
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Reshape: reshape,
  Flatten: flatten,
  Slice: slice,
  Split: split,
  Expand: expand,
  Tile: tile,
  Shape: shape,
  Size: size,
  Identity: same([]),
  Dropout: same(['ratio', 'seed', 'is_test']),
};
