import type { Call } from '../graph/call.ts';
import { rangeOf } from '../graph/indices.ts';
import { type Axis, type Dim, feature, isFeature, isUnknown, type Value } from '../graph/tensor.ts';
import { lastStep, stepsOf } from '../graph/time.ts';
import { splitSizes } from './fold.ts';
import { at, layout } from './on-values.ts';
import { slicesOf } from './slice-ranges.ts';
import type { Handler } from './types.ts';

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

export const cutHandlers: Readonly<Record<string, Handler>> = { Slice: slice, Split: split };
