import { sizeOf } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import { type Axis, feature, isFeature, isUnknown, showTensor, type Tensor, type Value } from '../graph/tensor.ts';
import { foldTime, stepsOf } from '../graph/time.ts';
import { featuresOf, memoryOrder, renamed, rowOf } from '../graph/views.ts';
import { applyFunction } from './elementwise.ts';
import { dropAxis } from './layout.ts';
import type { Handler } from './types.ts';

type Reduction = 'max' | 'mean' | 'sum';

/** Over some of the axes of features: those go outermost, so that each element meets its like. */
function overFeatures(call: Call, x: Value, axes: readonly number[], fn: Reduction): Value {
  const index = (axis: number) => x.axes.slice(0, axis).filter(isFeature).length;
  const gone = axes.map(index);
  const features = featuresOf(x);
  const size = sizeOf(gone.map((i) => features[i]!.size));
  const ones = (value: Value): Value => ({
    ...value,
    axes: value.axes.map((axis, i) => (axes.includes(i) ? feature(1) : axis)),
  });
  if (size === 1) return ones(x);
  const row = rowOf(call, x, [...gone, ...memoryOrder(x).filter((i) => !gone.includes(i))]);
  const name = call.add('reduceFeatures', { x: row.name }, { function: fn === 'max' ? 'max' : 'mean', size });
  const reduced = ones({ ...renamed(row, name), offset: 0 });
  return fn === 'sum' ? applyFunction(call, reduced, ['affine', size, 0], '/sum') : reduced;
}

function overTime(call: Call, x: Value, axis: number, fn: Reduction): Value {
  const row = rowOf(call, x, memoryOrder(x));
  const name = call.add('reduceTime', { x: row.name }, { function: fn }, {}, '/time');
  return { ...renamed(row, name), axes: row.axes.map((old, i): Axis => (i === axis ? feature(1) : old)) };
}

function reduce(fn: Reduction) {
  return (call: Call): Tensor[] => {
    const x = call.value(0);
    const rank = x.axes.length;
    const given = call.list('axes', 1);
    if ((!given || given.length === 0) && call.int('noop_with_empty_axes', 0) !== 0) return [x];
    const axes = given && given.length > 0 ? given.map((axis) => call.axis(axis, rank)) : x.axes.map((_, i) => i);
    let y = x;
    const time = axes.find((axis) => x.axes[axis]!.role === 'time');
    if (time !== undefined)
      y = axes.length > 1 && stepsOf(x) !== undefined ? foldTime(call, y) : overTime(call, y, time, fn);
    const odd = axes.find((axis) => !isFeature(y.axes[axis]!) && y.axes[axis]!.size !== 1);
    if (odd !== undefined) return call.refuse(`reduces over the ${y.axes[odd]!.role}`, { found: showTensor(x) });
    y = overFeatures(
      call,
      y,
      axes.filter((axis) => isFeature(y.axes[axis]!)),
      fn,
    );
    if (call.int('keepdims', 1) !== 0) return [y];
    return [[...axes].sort((a, b) => b - a).reduce((value, axis) => dropAxis(call, value, axis), y)];
  };
}

/** Over all places after the channels. */
function global(fn: 'max' | 'mean') {
  return (call: Call): Tensor[] => {
    const x = call.value(0);
    if (x.axes.length !== 3) return call.refuse('has more than one dimension', { found: showTensor(x) });
    return [x.axes[2]!.role === 'time' ? overTime(call, x, 2, fn) : overFeatures(call, x, [2], fn)];
  };
}

function softmax(log: boolean) {
  return (call: Call): Tensor[] => {
    const x = call.value(0);
    const rank = x.axes.length;
    const axis = call.axis(call.int('axis', call.reading.opset >= 13 ? -1 : 1), rank);
    const beyond = x.axes.filter((other, i) => i !== axis && isFeature(other) && other.size > 1);
    const flat = call.reading.opset < 13 && x.axes.slice(axis + 1).some(({ size }) => isUnknown(size) || size > 1);
    if (!isFeature(x.axes[axis]!) || beyond.length > 0 || flat) {
      return call.refuse('is taken over other than one axis of features', {
        found: `axis ${axis} of ${showTensor(x)}`,
      });
    }
    const row = rowOf(call, x);
    const y = renamed(row, call.add('softmax', { x: row.name }));
    return [log ? applyFunction(call, y, ['log'], '/log') : y];
  };
}

const reducer = (fn: Reduction): Handler => ({
  attributes: ['axes', 'keepdims', 'noop_with_empty_axes'],
  run: reduce(fn),
});

export const reduceHandlers: Readonly<Record<string, Handler>> = {
  ReduceMean: reducer('mean'),
  ReduceMax: reducer('max'),
  ReduceSum: reducer('sum'),
  GlobalAveragePool: { attributes: [], run: global('mean') },
  GlobalMaxPool: { attributes: [], run: global('max') },
  Softmax: { attributes: ['axis'], run: softmax(false) },
  LogSoftmax: { attributes: ['axis'], run: softmax(true) },
};
