import { sizeOf } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import {
  type Axis,
  feature,
  isFeature,
  isUnknown,
  showTensor,
  type Tensor,
  uniform,
  type Value,
} from '../graph/tensor.ts';
import { foldTime, unfoldTime } from '../graph/time.ts';
import { featuresOf, memoryOrder, renamed, rowOf, withFeatures } from '../graph/views.ts';
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

export const joinHandlers: Readonly<Record<string, Handler>> = {
  Concat: { attributes: ['axis'], run: concat },
};
