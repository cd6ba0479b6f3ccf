import { sizeOf } from '@gatefold/runtime';
import { type Call, matrixWeight } from '../graph/call.ts';
import {
  type Axis,
  type Constant,
  feature,
  isFeature,
  isUnknown,
  showTensor,
  type Tensor,
  uniform,
  type Value,
} from '../graph/tensor.ts';
import { foldTime, lastStep, stepsOf, unfoldTime } from '../graph/time.ts';
import { featuresOf, memoryOrder, renamed, rowOf, withFeatures } from '../graph/views.ts';
import { dropAxis } from './layout.ts';
import type { Handler } from './types.ts';

/** A value of one number everywhere, with the rows of another: 0·x + number. */
function fillLike(call: Call, like: Value, width: number, number: number): string {
  const view = call.add('view', { x: like.name }, { sizes: [width], strides: [0] }, {}, '/room');
  return call.add('unary', { x: view }, { function: ['affine', 0, number] }, {}, '/fill');
}

/** Values side by side along an axis of features; `parts` agree in all other axes. */
export function joinValues(
  call: Call,
  parts: readonly (Value | number)[],
  sizes: readonly number[],
  axis: number,
): Value {
  const first = parts.find((part): part is Value => typeof part !== 'number')!;
  const index = first.axes.slice(0, axis).filter(isFeature).length;
  const order = [index, ...memoryOrder(first).filter((i) => i !== index)];
  const others = sizeOf(featuresOf(first).map(({ size }, i) => (i === index ? 1 : size)));
  const rows = parts.map((part, i) => (typeof part === 'number' ? undefined : rowOf(call, part, order)) ?? sizes[i]!);
  const base = rows.find((row): row is Value => typeof row !== 'number')!;
  const names = rows.map((row, i) =>
    typeof row === 'number' ? fillLike(call, base, row * others, parts[i] as number) : row.name,
  );
  if (names.length === 1) return base;
  const name = call.add('concat', Object.fromEntries(names.map((value, i) => [String(i), value])));
  const total = sizes.reduce((sum, n) => sum + n, 0);
  const features = featuresOf(base).map((old, i) => (i === index ? feature(total, others) : old));
  return { ...renamed(base, name), axes: withFeatures(base.axes, features) };
}

/** Sequences of fixed lengths, one after the other: as features, which then are steps again. */
function concatTime(call: Call, inputs: readonly Tensor[], axis: number): Tensor[] {
  const parts = inputs.map((input) => {
    if (input.kind !== 'value') return call.refuse('joins a sequence with a constant', { found: showTensor(input) });
    return foldTime(call, input);
  });
  const sizes = parts.map(({ axes }) => axes[axis]!.size as number);
  return [unfoldTime(call, joinValues(call, parts, sizes, axis), axis)];
}

function concat(call: Call): Tensor[] {
  const inputs = call.inputs.map((_, i) => call.input(i));
  const first = inputs.find((input): input is Value => input.kind === 'value');
  if (!first) return call.refuse('works on tensors of a length that the file leaves open');
  const axis = call.axis(call.int('axis', 0), first.axes.length);
  if (inputs.length === 1) return [first];
  const along = first.axes[axis]!;
  const timed = inputs.some((input) => input.kind === 'value' && input.axes[axis]?.role === 'time');
  if (timed && !call.reading.lifted) return concatTime(call, inputs, axis);
  if (!isFeature(along))
    return call.refuse(`joins along the ${along.role}`, { found: inputs.map(showTensor).join(' and ') });
  const sizes: number[] = [];
  const parts = inputs.map((input): Value | number => {
    const dims =
      input.kind === 'value' ? input.axes.map(({ size }) => size) : input.kind === 'fill' ? input.dims : input.shape;
    const size = dims[axis];
    if (size === undefined || isUnknown(size))
      return call.refuse('joins tensors that do not fit', { found: inputs.map(showTensor).join(' and ') });
    sizes.push(size);
    if (input.kind !== 'value')
      return (
        uniform(input) ??
        call.refuse('joins values with a constant that is not one number', { found: showTensor(input) })
      );
    const fit =
      input.axes.length === first.axes.length &&
      input.axes.every((other, i) => (i === axis ? isFeature(other) : sameAxis(other, first.axes[i]!)));
    return fit ? input : call.refuse('joins values that do not fit', { found: inputs.map(showTensor).join(' and ') });
  });
  return [joinValues(call, parts, sizes, axis)];
}

function sameAxis(a: Axis, b: Axis): boolean {
  return a.role === b.role && (!isFeature(a) || a.size === b.size);
}

/** One place of an axis; the axis remains, of size 1. */
function pick(call: Call, x: Value, axis: number, index: number): Value {
  const old = x.axes[axis]!;
  const size = isUnknown(old.size) ? undefined : old.size;
  const at = index < 0 && size !== undefined ? index + size : index;
  if (size !== undefined && (at < 0 || at >= size))
    call.fail('MODEL_SHAPE', 'an index lies outside', { found: String(index) });
  if (isFeature(old)) {
    return {
      ...x,
      offset: x.offset + at * old.stride,
      axes: x.axes.map((other, i) => (i === axis ? feature(1) : other)),
    };
  }
  if (old.role === 'time') {
    const steps = stepsOf(x);
    if (index === -1 || (steps !== undefined && at === steps - 1)) return lastStep(call, x);
    if (at === 0) return lastStep(call, { ...x, name: call.add('reverse', { x: x.name }, {}, {}, '/reverse') });
    if (steps !== undefined) {
      return lastStep(call, {
        ...x,
        name: call.add('pad', { x: x.name }, { left: 0, right: at + 1 - steps }, {}, '/crop'),
      });
    }
  } else if (size === 1) return x;
  return call.refuse(`picks from the ${old.role}`, { found: showTensor(x) });
}

function gatherValue(call: Call, x: Value, indices: Constant): Value {
  const axis = call.axis(call.int('axis', 0), x.axes.length);
  const list = Array.from(call.numbers(indices, 'indices'));
  if (indices.shape.length === 0) {
    const picked = pick(call, x, axis, list[0]!);
    return isFeature(picked.axes[axis]!)
      ? { ...picked, axes: picked.axes.filter((_, i) => i !== axis) }
      : dropAxis(call, picked, axis);
  }
  if (indices.shape.length !== 1) return call.refuse('picks by a table of indices');
  if (list.length === 1) return pick(call, x, axis, list[0]!);
  const old = x.axes[axis]!;
  if (!isFeature(old)) return call.refuse(`picks from the ${old.role}`, { found: showTensor(x) });
  const places = list.map((index) => (index < 0 ? index + old.size : index));
  if (places.some((at) => at < 0 || at >= old.size)) call.fail('MODEL_SHAPE', 'an index lies outside');
  const runs = stridesIn(places);
  if (runs?.sizes.length === 1) {
    const along = feature(places.length, runs.strides[0]! * old.stride);
    return {
      ...x,
      offset: x.offset + places[0]! * old.stride,
      axes: x.axes.map((other, i) => (i === axis ? along : other)),
    };
  }
  if (runs && featuresOf(x).every((other) => other === old || other.size === 1)) {
    const row = rowOf(call, x);
    const name = call.add('view', { x: row.name }, { offset: places[0]!, ...runs });
    return { ...row, name, axes: row.axes.map((other, i) => (i === axis ? feature(places.length, 1) : other)) };
  }
  if (list.length > mostPicked) return call.refuse('picks too many places', { expected: `at most ${mostPicked}` });
  return joinValues(
    call,
    list.map((index) => pick(call, x, axis, index)),
    list.map(() => 1),
    axis,
  );
}

const mostPicked = 256;

/** A list of indices as nested runs of equal steps, the innermost last; undefined for an irregular one. */
function stridesIn(places: readonly number[]): { sizes: number[]; strides: number[] } | undefined {
  const sizes: number[] = [];
  const strides: number[] = [];
  let firsts = places;
  while (firsts.length > 1) {
    const stride = firsts[1]! - firsts[0]!;
    let size = 1;
    while (size < firsts.length && firsts[size]! - firsts[size - 1]! === stride) size++;
    const whole =
      firsts.length % size === 0 && firsts.every((at, i) => i % size === 0 || at - firsts[i - 1]! === stride);
    if (!whole) return undefined;
    sizes.unshift(size);
    strides.unshift(stride);
    firsts = firsts.filter((_, i) => i % size === 0);
  }
  return { sizes, strides };
}

function embed(call: Call, table: Constant, ids: Tensor): Value {
  if (ids.kind !== 'value') return call.refuse('looks up ids of unknown number');
  if (call.axis(call.int('axis', 0), table.shape.length) !== 0 || table.shape.length !== 2) {
    return call.refuse('looks up along another axis than the first of a matrix', { found: showTensor(table) });
  }
  const [rows, width] = table.shape as [number, number];
  const features = featuresOf(ids);
  if (features.some(({ size }) => size > 1))
    return call.refuse('looks up several ids in a step', { found: showTensor(ids) });
  const weight = matrixWeight(call, table, 'table', '', [rows, width], (data) => data.slice());
  const row = rowOf(call, ids);
  return {
    kind: 'value',
    name: call.add('embedding', { x: row.name }, {}, { table: weight }),
    offset: 0,
    axes: [...row.axes, feature(width, 1)],
  };
}

function gather(call: Call): Tensor[] {
  const data = call.input(0);
  if (data.kind === 'constant') return [embed(call, data, call.input(1))];
  if (data.kind === 'value') return [gatherValue(call, data, call.asConstant(call.input(1), 'indices'))];
  const indices = call.asConstant(call.input(1), 'indices');
  const axis = call.axis(call.int('axis', 0), data.dims.length);
  return [{ ...data, dims: [...data.dims.slice(0, axis), ...indices.shape, ...data.dims.slice(axis + 1)] }];
}

/** The parts that padding an axis of features puts before or after it. */
function padding(
  call: Call,
  x: Value,
  axis: number,
  count: number,
  mode: string,
  after: boolean,
  number: number,
): Value | number {
  const old = x.axes[axis] as Axis & { role: 'feature' };
  if (mode === 'constant') return number;
  const turn = mode === 'reflect' ? -1 : 0;
  if (mode !== 'reflect' && mode !== 'edge') return call.refuse('unknown mode', { found: mode });
  if (turn < 0 && count >= old.size) return call.fail('MODEL_SHAPE', 'reflects more than there is');
  const from = after ? old.size - 1 + turn : turn < 0 ? count : 0;
  return {
    ...x,
    offset: x.offset + from * old.stride,
    axes: x.axes.map((other, i) => (i === axis ? feature(count, old.stride * turn) : other)),
  };
}

function pad(call: Call): Tensor[] {
  const x = call.value(0);
  const pads = call.list('pads', 1) ?? call.refuse('needs pads');
  const mode = call.text('mode', 'constant');
  const fill = call.inputs[2];
  const number = fill ? Number(call.numbers(fill, 'value')[0]) : call.float('value', 0);
  const rank = x.axes.length;
  const axes = call.inputs[3]
    ? Array.from(call.numbers(call.input(3), 'axes'), (a) => call.axis(a, rank))
    : x.axes.map((_, i) => i);
  if (pads.length !== 2 * axes.length) call.fail('MODEL_SHAPE', 'pads do not fit its axes', { found: `[${pads}]` });
  let value = x;
  axes.forEach((axis, i) => {
    const before = pads[i]!;
    const after = pads[i + axes.length]!;
    if (before === 0 && after === 0) return;
    const old = value.axes[axis]!;
    if (old.role === 'time') {
      if (mode !== 'constant' || number !== 0) {
        const hint = isUnknown(old.size)
          ? { hint: `where each call is one step, fix its length: --fix ${old.size.symbol}=number` }
          : {};
        call.refuse('pads time with other than zeros', { found: mode, ...hint });
      }
      const name = call.add('pad', { x: value.name }, { left: before, right: after }, {}, '/pad');
      const size = isUnknown(old.size) ? { symbol: `${call.name}:time` } : old.size + before + after;
      value = {
        ...value,
        name,
        axes: value.axes.map((other, k): Axis => (k === axis ? { role: 'time', size } : other)),
      };
      return;
    }
    if (!isFeature(old)) call.refuse(`pads the ${old.role}`);
    if (before < 0 || after < 0) call.refuse('cuts off by negative padding');
    const parts: (Value | number)[] = [value];
    const sizes = [(old as { size: number }).size];
    if (before > 0) {
      parts.unshift(padding(call, value, axis, before, mode, false, number));
      sizes.unshift(before);
    }
    if (after > 0) {
      parts.push(padding(call, value, axis, after, mode, true, number));
      sizes.push(after);
    }
    value = joinValues(call, parts, sizes, axis);
  });
  return [value];
}

export const joinHandlers: Readonly<Record<string, Handler>> = {
  Concat: { attributes: ['axis'], run: concat },
  Gather: { attributes: ['axis'], run: gather },
  Pad: { attributes: ['pads', 'mode', 'value'], run: pad },
};
