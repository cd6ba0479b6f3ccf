import { fail, sizeOf } from '@gatefold/runtime';
import { reshaped, sequenceOf } from '../coerce.ts';
import { type Constant, wholesOf } from '../constant.ts';
import { axisOf, type Lift, proper, showDims } from '../lift.ts';
import type { Lifted, Operation, Pieces, Signal } from '../lifted.ts';
import { open } from '../parse.ts';
import { constantSource, simplified, stepsOf, whole } from '../pieces.ts';
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

function viewed(lift: Lift, operation: Operation, from: Lifted, shape: readonly number[]): Lifted {
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

/** Shape of `count` tensors joined along `axis`. */
function joinedPieces(lift: Lift, operation: Operation, parts: readonly Lifted[], axis: number): Pieces {
  const sources: string[] = [];
  const shape = [...parts[0]!.shape];
  shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const size = sizeOf(shape);
  lift.charge(size, operation.place);
  const source = new Int32Array(size);
  const index = new Int32Array(size);
  const inner = sizeOf(shape.slice(axis + 1));
  let offset = 0;
  for (const part of parts) {
    const base = sources.length;
    const step = part.kind === 'signal' && part.step ? part.step.at * sizeOf(part.shape) : 0;
    sources.push(...(part.kind === 'pieces' ? part.sources : [part.kind === 'signal' ? part.value : constantSource]));
    const block = part.shape[axis]! * inner;
    const count = sizeOf(part.shape);
    for (let i = 0; i < count; i++) {
      const at = Math.floor(i / block) * shape[axis]! * inner + offset + (i % block);
      source[at] = base + (part.kind === 'pieces' ? part.source[i]! : 0);
      index[at] = part.kind === 'pieces' ? part.index[i]! : step + i;
    }
    offset += block;
  }
  return { kind: 'pieces', shape, sources, source, index };
}

function joinedConstants(lift: Lift, operation: Operation, parts: readonly Constant[], axis: number): Constant {
  const pieces = joinedPieces(lift, operation, parts, axis);
  const first = parts[0]!;
  const data = first.data.slice(0, 0);
  const Kind = data.constructor as new (length: number) => Constant['data'];
  const out = new Kind(pieces.index.length);
  pieces.index.forEach((i, at) => {
    out[at] = parts[pieces.source[at]!]!.data[i]!;
  });
  return lift.fold(first.name, pieces.shape, out, first.type);
}

/** All steps of one value in order, or in reverse order; the value then. */
export function allSteps(parts: readonly Lifted[]): { value: string; backward: boolean } | undefined {
  const [first] = parts;
  if (first?.kind !== 'signal' || !first.step || first.step.of !== parts.length) return undefined;
  for (const backward of [false, true]) {
    const fits = parts.every(
      (part, i) =>
        part.kind === 'signal' &&
        part.value === first.value &&
        part.step?.at === (backward ? parts.length - 1 - i : i) &&
        part.step.of === parts.length,
    );
    if (fits) return { value: first.value, backward };
  }
  return undefined;
}

const join: Handler = (lift, operation) => {
  const pack = operation.name === 'PACK';
  const inputs = operation.inputs.map((_, i) => lift.input(operation, i));
  // Along the features steps are meant, where parts of states are packed otherwise.
  const wide =
    !pack &&
    inputs.some(
      ({ shape }) => axisOf(Number(operation.options.axis), shape.length, operation.place) === shape.length - 1,
    );
  const given = inputs.map((part) =>
    wide && part.kind === 'pieces' ? (stepsOf(lift, operation, part) ?? part) : part,
  );
  const rank = given[0] ? given[0].shape.length + (pack ? 1 : 0) : 0;
  const axis = axisOf(Number(operation.options.axis), rank, operation.place);
  const parts = pack ? given.map((part): Lifted => ({ ...part, shape: part.shape.toSpliced(axis, 0, 1) })) : given;
  const same = parts.every((part) => part.shape.every((dim, i) => i === axis || dim === parts[0]!.shape[i]));
  if (!same || parts.some((part) => part.shape.length !== rank))
    lift.refuse(operation, 'joins tensors that differ in shape');
  const [output] = operation.outputs;
  if (parts.every((part) => part.kind === 'constant')) {
    lift.set(output!, joinedConstants(lift, operation, parts, axis));
    return;
  }
  const shape = parts[0]!.shape.with(
    axis,
    parts.reduce((sum, part) => sum + part.shape[axis]!, 0),
  );
  const steps = allSteps(parts);
  const features = proper(parts[0]!.shape);
  if (steps && features.every((dim) => dim !== axis) && parts[0]!.shape[axis] === 1) {
    const value = steps.backward ? lift.node(operation, 'reverse', { x: steps.value }) : steps.value;
    const time = parts.length === 1 ? -1 : axis;
    lift.set(output!, { kind: 'signal', value, shape, time });
    return;
  }
  if (parts.length === 1 && given[0]!.kind === 'signal') {
    lift.set(output!, viewed(lift, operation, given[0]!, shape));
    return;
  }
  const featureAxis = parts.every(
    (part) =>
      part.kind === 'signal' &&
      part.time !== axis &&
      part.shape.every((dim, i) => dim === 1 || i === axis || i === part.time),
  );
  const after = shape.slice(axis + 1).every((dim) => dim === 1);
  if (featureAxis && after && !(pack && parts.some((part) => sizeOf(part.shape) > 1))) {
    const signals = parts.map((part) => whole(lift, operation, part as Signal));
    const timed = signals.find(({ time }) => time !== -1);
    const values = Object.fromEntries(signals.map(({ value }, i) => [String(i), value]));
    lift.set(output!, {
      kind: 'signal',
      value: lift.node(operation, 'concat', values),
      shape,
      time: timed?.time ?? -1,
    });
    return;
  }
  if (parts.some((part) => part.kind === 'signal' && part.time !== -1)) {
    lift.refuse(operation, `joins ${parts.map((part) => showDims(part.shape)).join(', ')} along dimension ${axis}`);
  }
  lift.set(output!, simplified(lift, joinedPieces(lift, operation, parts, axis)));
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
  PACK: join,
  CONCATENATION: join,
  SHAPE: shapeOf,
  FILL: fill,
};
