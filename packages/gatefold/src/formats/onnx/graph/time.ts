import { sizeOf } from '@gatefold/runtime';
import type { Call } from './call.ts';
import { type Axis, feature, isFeature, isUnknown, type Value } from './tensor.ts';
import { featuresOf, rowOf, widthOf } from './views.ts';

export function timeAt(value: Value): number {
  return value.axes.findIndex((axis) => axis.role === 'time');
}

/** Steps of a value's time where the file fixes them. */
export function stepsOf(value: Value): number | undefined {
  const axis = value.axes[timeAt(value)];
  return axis && !isUnknown(axis.size) ? axis.size : undefined;
}

/** The value with its time, of a fixed number of steps, as an axis of features. */
export function foldTime(call: Call, value: Value): Value {
  const at = timeAt(value);
  if (at < 0) return value;
  const steps =
    stepsOf(value) ??
    call.refuse('needs a sequence of a length that the file fixes', { hint: 'fix it: --fix name=number' });
  const row = rowOf(call, value);
  const width = widthOf(row);
  const name = call.add('reshape', { x: row.name }, { shape: [steps * width] }, {}, '/flatten');
  return { ...row, name, axes: row.axes.map((axis, i) => (i === at ? feature(steps, width) : axis)) };
}

/** The value with one of its axes of features as time. */
export function unfoldTime(call: Call, value: Value, at: number): Value {
  const features = featuresOf(value);
  const index = value.axes.slice(0, at).filter(isFeature).length;
  const order = [index, ...features.map((_, i) => i).filter((i) => i !== index)];
  const row = rowOf(call, value, order);
  const steps = features[index]!.size;
  const width = sizeOf(features.map(({ size }) => size)) / steps;
  const name = call.add('reshape', { x: row.name }, { shape: [steps, width], time: true }, {}, '/steps');
  return { ...row, name, axes: row.axes.map((axis, i): Axis => (i === at ? { role: 'time', size: steps } : axis)) };
}

/** The last step; its axis remains, of size 1. */
export function lastStep(call: Call, value: Value): Value {
  const at = timeAt(value);
  const name = call.add('last', { x: value.name }, {}, {}, '/last');
  return { ...value, name, axes: value.axes.map((axis, i) => (i === at ? feature(1) : axis)) };
}
