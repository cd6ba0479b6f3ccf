import { type Call, matrixWeight } from '../graph/call.ts';
import { type Constant, feature, isFeature, isUnknown, showTensor, type Tensor, type Value } from '../graph/tensor.ts';
import { lastStep, stepsOf } from '../graph/time.ts';
import { featuresOf, rowOf } from '../graph/views.ts';
import { joinValues } from './join.ts';
import { dropAxis } from './layout.ts';
import type { Handler } from './types.ts';

const mostPicked = 256;

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
  if (data.kind === 'constant') return [embed(call, call.constant(0, 'table'), call.input(1))];
  if (data.kind === 'value') return [gatherValue(call, data, call.asConstant(call.input(1), 'indices'))];
  const indices = call.asConstant(call.input(1), 'indices');
  const axis = call.axis(call.int('axis', 0), data.dims.length);
  return [{ ...data, dims: [...data.dims.slice(0, axis), ...indices.shape, ...data.dims.slice(axis + 1)] }];
}

export const gatherHandlers: Readonly<Record<string, Handler>> = { Gather: { attributes: ['axis'], run: gather } };
