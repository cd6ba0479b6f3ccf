import { sizeOf } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import { rangeOf } from '../graph/indices.ts';
import {
  type Axis,
  constant,
  type Dim,
  dimsOf,
  feature,
  isFeature,
  isUnknown,
  showDim,
  showTensor,
  type Value,
} from '../graph/tensor.ts';
import { lastStep } from '../graph/time.ts';
import { broadcastValue } from './elementwise.ts';
import { squeezed, targetShape, unsqueezed } from './fold.ts';
import { at, layout } from './on-values.ts';
import { reshapeValue } from './reshape.ts';
import type { Handler } from './types.ts';

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
  Expand: expand,
  Tile: tile,
  Shape: shape,
  Size: size,
  Identity: same([]),
  Dropout: same(['ratio', 'seed', 'is_test']),
};
