import { fail, sizeOf } from '@gatefold/runtime';
import { reshaped, sequenceOf } from '../coerce.ts';
import { type Constant, wholesOf } from '../constant.ts';
import { axisOf, type Lift, proper, showDims } from '../lift.ts';
import type { Lifted, Operation, Pieces } from '../lifted.ts';
import { open } from '../parse.ts';
import { simplified, whole } from '../pieces.ts';
import { checkRanges, type Slicing, slicings, takenIndex, transposedIndex } from '../ranges.ts';
import type { Handler } from './types.ts';

/** Elements `index` of a folded tensor or of pieces, in a new shape. */
function taken<T extends Constant | Pieces>(lift: Lift, from: T, shape: readonly number[], index: Int32Array): T {
  lift.charge(index.length, from.kind === 'constant' ? from.name : 'pieces');
  if (from.kind === 'pieces') {
    return { ...from, shape, source: index.map((i) => from.source[i]!), index: index.map((i) => from.index[i]!) };
  }
  const data = from.data.slice(0, index.length);
  index.forEach((i, at) => {
    data[at] = from.data[i]!;
  });
  if (from.quantization && from.quantization.scales.length > 1)
    fail('MODEL_UNSUPPORTED', 'parts of a tensor with a scale per row', { place: from.name });
  return { ...from, shape, data };
}

function sliced(lift: Lift, operation: Operation, from: Lifted, slicing: Slicing): Lifted {
  checkRanges(operation, from.shape, slicing, from.kind === 'signal');
  const { ranges, shape } = slicing;
  if (from.kind !== 'signal') {
    lift.charge(sizeOf(shape), operation.place);
    const part = taken(lift, from, shape, takenIndex(from.shape, slicing));
    return part.kind === 'pieces' ? simplified(lift, part) : part;
  }
  const cut = ranges.flatMap(({ count, step }, i) => (count !== from.shape[i]! || step < 0 ? [i] : []));
  if (cut.length === 0) return reshaped(lift, operation, from, shape);
  const axis = cut[0]!;
  if (cut.length > 1) lift.refuse(operation, 'slices several dimensions at once', 'slice one after the other');
  const { from: start, step, count } = ranges[axis]!;
  const size = from.shape[axis]!;
  const keepsAxis = shape.length === from.shape.length;
  if (axis === from.time) {
    // Which is the last of an open number of steps is told by its distance from the end.
    const late = size === open && start > open / 2;
    if (count === 1 && (size !== open || (late && start === open - 1))) {
      return { kind: 'signal', value: from.value, shape, time: -1, step: { at: start, of: size } };
    }
    if (step === -1 && count === size) {
      const value = lift.node(operation, 'reverse', { x: whole(lift, operation, from).value });
      return { ...from, value, shape };
    }
    if (step !== 1 || !keepsAxis || late) lift.refuse(operation, 'takes steps that are no range');
    const right = size === open ? (start + count === open ? 0 : undefined) : start + count - size;
    if (right === undefined) lift.refuse(operation, 'ends at a fixed step of an open number');
    const value = lift.node(operation, 'pad', { x: from.value }, { left: -start, right });
    return { ...from, value, shape: size === open ? shape.with(axis, open) : shape };
  }
  const signal = whole(lift, operation, from);
  const inner = lift.builder.type(signal.value).shape;
  const others = proper(signal.shape).filter((dim) => dim !== signal.time);
  if (others.length !== 1 || inner.length !== 1 || step !== 1) {
    lift.refuse(operation, `slices dimension ${axis} of ${showDims(from.shape)}`);
  }
  const value = lift.node(operation, 'slice', { x: signal.value }, { from: start, to: start + count });
  const time = signal.time === -1 || keepsAxis || signal.time < axis ? signal.time : signal.time - 1;
  return { kind: 'signal', value, shape, time };
}

/** A view of features whose first dimension is cut: that dimension becomes steps. */
function withSteps(lift: Lift, operation: Operation, from: Lifted, parts: readonly Slicing[]): Lifted {
  const [first, features, ...others] = proper(from.shape);
  const cut = parts.some(({ ranges }) => ranges[first!]?.count !== from.shape[first!]);
  if (from.kind !== 'signal' || from.time !== -1 || features === undefined || others.length > 0 || !cut) return from;
  const value = sequenceOf(lift, operation, from, { steps: first!, features });
  return { kind: 'signal', value, shape: from.shape, time: first! };
}

const slice: Handler = (lift, operation) => {
  const given = lift.input(operation, operation.name === 'SPLIT' ? 1 : 0);
  const parts = slicings(lift, operation, given.shape)!;
  const from = withSteps(lift, operation, given, parts);
  operation.outputs.forEach((output, i) => {
    // Converters leave empty rests behind, which nothing uses.
    if (from.kind === 'signal' && parts[i]?.shape.includes(0)) return;
    const part = parts[i] ?? fail('MODEL_INVALID', 'it has too many outputs', { place: operation.place });
    lift.set(output, sliced(lift, operation, from, part));
  });
};

/** One element along an axis, as GATHER with a constant index takes it. */
export function takenAt(
  lift: Lift,
  operation: Operation,
  given: Lifted,
  axis: number,
  at: number,
  keep: boolean,
): Lifted {
  const ranges = given.shape.map((dim, i) =>
    i === axis ? { from: at, step: 1, count: 1 } : { from: 0, step: 1, count: dim },
  );
  const shape = keep ? given.shape.with(axis, 1) : given.shape.toSpliced(axis, 1);
  const slicing = { ranges, shape };
  return sliced(lift, operation, withSteps(lift, operation, given, [slicing]), slicing);
}

/** The tensor in another shape of its size. */
export function viewed(lift: Lift, operation: Operation, from: Lifted, shape: readonly number[]): Lifted {
  if (from.kind === 'signal') return reshaped(lift, operation, from, shape);
  if (sizeOf(shape) !== sizeOf(from.shape)) {
    lift.refuse(operation, `cannot make ${showDims(shape)} of ${showDims(from.shape)}`);
  }
  return { ...from, shape };
}

function targetShape(lift: Lift, operation: Operation, from: Lifted): number[] {
  const { name, options, place, inputs } = operation;
  const list = (i: number) => wholesOf(lift.constant(operation, i), place);
  if (name === 'EXPAND_DIMS') {
    const shape = [...from.shape];
    shape.splice(axisOf(list(1)[0] ?? 0, shape.length + 1, place), 0, 1);
    return shape;
  }
  if (name === 'SQUEEZE') {
    const axes = (options.axes as readonly number[]).map((axis) => axisOf(axis, from.shape.length, place));
    return from.shape.filter((dim, i) => dim !== 1 || (axes.length > 0 && !axes.includes(i)));
  }
  const shape = (inputs[1] ?? -1) === -1 ? [...(options.shape as readonly number[])] : list(1);
  const known = shape.reduce((product, dim) => (dim === -1 ? product : product * dim), 1);
  return shape.map((dim) => (dim === -1 ? sizeOf(from.shape) / known : dim));
}

const view: Handler = (lift, operation) => {
  const from = lift.input(operation, 0);
  lift.set(operation.outputs[0]!, viewed(lift, operation, from, targetShape(lift, operation, from)));
};

const transpose: Handler = (lift, operation) => {
  const from = lift.input(operation, 0);
  const order = wholesOf(lift.constant(operation, 1), operation.place).map((axis) =>
    axisOf(axis, from.shape.length, operation.place),
  );
  if (new Set(order).size !== from.shape.length) {
    fail('MODEL_INVALID', 'an order of dimensions is no permutation', { place: operation.place });
  }
  const shape = order.map((axis) => from.shape[axis]!);
  if (from.kind !== 'signal') {
    lift.charge(sizeOf(shape), operation.place);
    lift.set(operation.outputs[0]!, taken(lift, from, shape, transposedIndex(from.shape, order)));
    return;
  }
  const moved = order.filter((axis) => from.shape[axis] !== 1);
  const sorted = moved.every((axis, i) => i === 0 || moved[i - 1]! < axis);
  const time = order.indexOf(from.time);
  if (!sorted && from.time === -1) lift.refuse(operation, 'transposes features');
  lift.set(operation.outputs[0]!, { ...from, shape, time });
};

const shapeOf: Handler = (lift, operation) => {
  const { shape } = lift.input(operation, 0);
  lift.set(operation.outputs[0]!, lift.fold('shape', [shape.length], Int32Array.from(shape), 'INT32'));
};

const fill: Handler = (lift, operation) => {
  const shape = wholesOf(lift.constant(operation, 0), operation.place);
  const value = lift.constant(operation, 1);
  const size = sizeOf(shape);
  lift.charge(size, operation.place);
  const index = new Int32Array(Number.isInteger(size) && size >= 0 ? size : 0);
  lift.set(operation.outputs[0]!, taken(lift, value, shape, index));
};

export const shapeHandlers: Readonly<Record<string, Handler>> = {
  STRIDED_SLICE: slice,
  SLICE: slice,
  UNPACK: slice,
  SPLIT: slice,
  SPLIT_V: slice,
  RESHAPE: view,
  SQUEEZE: view,
  EXPAND_DIMS: view,
  TRANSPOSE: transpose,
  SHAPE: shapeOf,
  FILL: fill,
};
