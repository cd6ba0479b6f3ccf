import type { Activation } from '@gatefold/runtime';
import { activationAttribute } from '../../graph-builder.ts';
import { type Call, floatsOf } from '../graph/call.ts';
import { broadcastTo } from '../graph/indices.ts';
import {
  type Axis,
  type Constant,
  feature,
  isFeature,
  isUnknown,
  sameDim,
  showTensor,
  type Value,
} from '../graph/tensor.ts';
import { foldTime, stepsOf, timeAt, unfoldTime } from '../graph/time.ts';
import { denseOf, featuresOf, memoryOrder, renamed, rowOf } from '../graph/views.ts';
import { take } from './fold-arithmetic.ts';

/** Applies a function to every element. */
export function applyFunction(call: Call, x: Value, activation: Activation, suffix = ''): Value {
  const row = denseOf(call, x);
  return renamed(row, call.add('unary', { x: row.name }, { function: activationAttribute(activation) }, {}, suffix));
}

/** The axis that two broadcast to; undefined where they do not fit. */
function commonAxis(a: Axis | undefined, b: Axis | undefined): Axis | undefined {
  if (!a || !b) return a ?? b;
  if (isFeature(a) && isFeature(b)) return a.size === b.size || b.size === 1 ? a : a.size === 1 ? b : undefined;
  if (isFeature(a)) return a.size === 1 ? b : undefined;
  if (isFeature(b)) return b.size === 1 ? a : undefined;
  return a.role === b.role && (sameDim(a.size, b.size) || isUnknown(a.size) || isUnknown(b.size)) ? a : undefined;
}

/** Axes of what two values combine to. */
function commonAxes(call: Call, a: readonly Axis[], b: readonly Axis[]): Axis[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const found = commonAxis(a[i - rank + a.length], b[i - rank + b.length]);
    return (
      found ??
      call.refuse('its inputs differ in shape or in where batch and time stand', {
        found: [a, b].map((own) => showTensor({ kind: 'value', name: '', offset: 0, axes: own })).join(' and '),
      })
    );
  });
}

/** The value repeated along the axes that it lacks. Time cannot be made here. */
export function broadcastValue(call: Call, value: Value, axes: readonly Axis[]): Value {
  const own = value.axes;
  const out = axes.map((axis, i) => {
    const mine = own[i - axes.length + own.length];
    if (!isFeature(axis)) {
      if (axis.role === 'time' && mine?.role !== 'time' && !call.reading.lifted) return repeated(call, axis);
      return axis;
    }
    if (mine && isFeature(mine) && mine.size === axis.size) return mine;
    return feature(axis.size, 0);
  });
  return { ...value, axes: out };
}

function repeated(call: Call, axis: Axis): never {
  return call.refuse('combines a sequence with a vector', { found: `time ${isUnknown(axis.size) ? '' : axis.size}` });
}

/** The value with an axis of features as time, where the other has its time there, of the same fixed length. */
function alongTime(call: Call, value: Value, other: Value): Value {
  const at = timeAt(other);
  const own = at - other.axes.length + value.axes.length;
  const axis = value.axes[own];
  const fits = at >= 0 && timeAt(value) < 0 && axis !== undefined && isFeature(axis) && axis.size > 1;
  return fits && axis.size === stepsOf(other) ? unfoldTime(call, value, own) : value;
}

type Function2 = 'add' | 'subtract' | 'multiply' | 'divide' | 'maximum' | 'minimum';

export function combine(call: Call, fn: Function2, a: Value, b: Value, suffix = ''): Value {
  const [first, second] = [alongTime(call, a, b), alongTime(call, b, a)];
  const axes = commonAxes(call, first.axes, second.axes);
  const x = denseOf(call, broadcastValue(call, first, axes));
  const y = rowOf(call, broadcastValue(call, second, axes), memoryOrder(x));
  return renamed(x, call.add('binary', { a: x.name, b: y.name }, { function: fn }, {}, suffix));
}

/** A constant's elements beside the features of a value, in the order in which those lie. Broadcasts the value. */
function besideFeatures(call: Call, value: Value, other: Constant): { row: Value; numbers: Float32Array } {
  const rank = Math.max(value.axes.length, other.shape.length);
  const dims = Array.from({ length: rank }, (_, i) => other.shape[i - rank + other.shape.length] ?? 1);
  const axes = Array.from({ length: rank }, (_, i): Axis => {
    const mine = value.axes[i - rank + value.axes.length] ?? feature(1);
    if (isFeature(mine)) {
      if (mine.size === dims[i] || dims[i] === 1) return mine;
      return mine.size === 1
        ? feature(dims[i]!, 0)
        : call.fail('MODEL_SHAPE', 'its inputs do not fit', { found: `${showTensor(value)} and ${showTensor(other)}` });
    }
    return dims[i] === 1
      ? mine
      : call.refuse(`a constant differs along the ${mine.role}`, { found: showTensor(other) });
  });
  const row = denseOf(call, broadcastValue(call, value, axes));
  const order = memoryOrder(row);
  const sizes = featuresOf(row).map(({ size }) => size);
  // The constant's elements in the file's order of features, then in the row's.
  const inFile = axes.flatMap((axis, i) => (isFeature(axis) ? [dims[i]!] : []));
  const numbers = take(
    { ...other, shape: inFile, data: floatsOf(call, other, 'operand') },
    broadcastTo(inFile, sizes),
  ) as Float32Array;
  const strides = featuresOf(row).map(({ stride }) => stride);
  if (order.every((axis, i) => axis === i)) return { row, numbers };
  const out = new Float32Array(numbers.length);
  const at = new Array<number>(sizes.length).fill(0);
  for (let i = 0; i < numbers.length; i++) {
    out[at.reduce((sum, k, axis) => sum + k * strides[axis]!, 0)] = numbers[i]!;
    for (let axis = sizes.length - 1; axis >= 0 && ++at[axis]! === sizes[axis]; axis--) at[axis] = 0;
  }
  return { row, numbers: out };
}

/** Changes made to a constant before it becomes a weight. */
export const changes = {
  none: (n: number) => n,
  negated: (n: number) => -n,
  inverse: (n: number) => 1 / n,
} as const;

/** x⊙constant or x + constant, the constant changed first. */
export function scaleOrShift(
  call: Call,
  x: Value,
  role: 'scale' | 'shift' | 'slope',
  other: Constant,
  change: keyof typeof changes = 'none',
): Value {
  const at = timeAt(x);
  const dim = other.shape[at - x.axes.length + other.shape.length];
  if (at >= 0 && dim !== undefined && dim > 1 && dim === stepsOf(x)) {
    // Different numbers for each step: only where all steps are known, side by side.
    return unfoldTime(call, scaleOrShift(call, foldTime(call, x), role, other, change), at);
  }
  const { row, numbers } = besideFeatures(call, x, other);
  const key = JSON.stringify([change, row.axes]);
  const make = () => numbers.map(changes[change]);
  if (role === 'shift') {
    const product = call.node.input
      .map((name) => call.reading.products.get(name))
      .find((found) => found?.value === row.name);
    if (product && call.reading.uses.get(product.tensor) === 1) {
      // The file adds the bias in a node of its own, and nothing else reads the product.
      const bias = call.weight(other, 'bias', key, [numbers.length], make);
      if (call.reading.addBias(product, bias)) return row;
    }
  }
  const weight = call.weight(other, role, key, [numbers.length], make);
  return renamed(row, call.add(role === 'slope' ? 'prelu' : 'scaleShift', { x: row.name }, {}, { [role]: weight }));
}
