import { fail, sizeOf } from '@gatefold/runtime';
import { wholesOf } from './constant.ts';
import { axisOf, type Lift } from './lift.ts';
import type { Operation } from './lifted.ts';

/** What of one dimension is taken: `count` elements from `from` on, `step` apart. */
export interface Range {
  readonly from: number;
  readonly step: number;
  readonly count: number;
}

/** One output of a slicing operator: a range for each dimension of the input, and the shape that comes out. */
export interface Slicing {
  readonly ranges: readonly Range[];
  readonly shape: readonly number[];
}

const all = (count: number): Range => ({ from: 0, step: 1, count });

/** Slicings that differ from everything in one dimension alone. */
function along(shape: readonly number[], axis: number, parts: readonly Range[], keep: boolean): Slicing[] {
  return parts.map((part) => ({
    ranges: shape.map((dim, i) => (i === axis ? part : all(dim))),
    shape: shape.flatMap((dim, i) => (i !== axis ? [dim] : keep ? [part.count] : [])),
  }));
}

function stridedSlice(lift: Lift, operation: Operation, shape: readonly number[]): Slicing[] {
  const [begin, end, strides] = [1, 2, 3].map((i) => wholesOf(lift.constant(operation, i), operation.place));
  const mask = (name: string) => Number(operation.options[name]);
  if (mask('ellipsisMask') !== 0) lift.refuse(operation, 'an ellipsis in a slice has no meaning here');
  const ranges: Range[] = [];
  const out: number[] = [];
  for (let i = 0; i < begin!.length; i++) {
    const bit = 1 << i;
    if (mask('newAxisMask') & bit) {
      out.push(1);
      continue;
    }
    const dim = shape[ranges.length];
    const step = strides![i];
    if (dim === undefined || !step || end![i] === undefined)
      fail('MODEL_INVALID', 'a slice does not fit its tensor', { place: operation.place });
    const place = (value: number, low: number, high: number) =>
      Math.min(high, Math.max(low, value < 0 ? value + dim : value));
    if (mask('shrinkAxisMask') & bit) {
      ranges.push({ from: axisOf(begin![i]!, dim, operation.place), step: 1, count: 1 });
      continue;
    }
    const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
    const from = mask('beginMask') & bit ? (step > 0 ? low : high) : place(begin![i]!, low, high);
    const to = mask('endMask') & bit ? (step > 0 ? high : low) : place(end![i]!, low, high);
    const count = Math.max(0, Math.ceil((to - from) / step));
    ranges.push({ from, step, count });
    out.push(count);
  }
  const rest = shape.slice(ranges.length);
  return [{ ranges: [...ranges, ...rest.map(all)], shape: [...out, ...rest] }];
}

/** The slicings, one per output, of an operator that only takes parts; undefined for other operators. */
export function slicings(lift: Lift, operation: Operation, shape: readonly number[]): Slicing[] | undefined {
  const { name, options, outputs, place } = operation;
  const list = (i: number) => wholesOf(lift.constant(operation, i), place);
  switch (name) {
    case 'STRIDED_SLICE':
      return stridedSlice(lift, operation, shape);
    case 'SLICE': {
      const begin = list(1);
      const counts = list(2);
      const ranges = shape.map((dim, i) => ({
        from: begin[i] ?? 0,
        step: 1,
        count: counts[i] === -1 ? dim - (begin[i] ?? 0) : (counts[i] ?? 0),
      }));
      return [{ ranges, shape: ranges.map(({ count }) => count) }];
    }
    case 'UNPACK': {
      const axis = axisOf(Number(options.axis), shape.length, place);
      if (outputs.length !== shape[axis]) fail('MODEL_INVALID', 'it does not take its input apart', { place });
      return along(
        shape,
        axis,
        outputs.map((_, i) => ({ from: i, step: 1, count: 1 })),
        false,
      );
    }
    case 'SPLIT': {
      const axis = axisOf(list(0)[0] ?? 0, shape.length, place);
      const count = shape[axis]! / outputs.length;
      return along(
        shape,
        axis,
        outputs.map((_, i) => ({ from: i * count, step: 1, count })),
        true,
      );
    }
    case 'SPLIT_V': {
      const axis = axisOf(list(2)[0] ?? 0, shape.length, place);
      const sizes = list(1);
      const known = sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
      let from = 0;
      const parts = outputs.map((_, i) => {
        const count = sizes[i] === -1 ? shape[axis]! - known : (sizes[i] ?? 0);
        from += count;
        return { from: from - count, step: 1, count };
      });
      return along(shape, axis, parts, true);
    }
    default:
      return undefined;
  }
}

/** Refuses ranges outside their dimensions; with `full` also empty ones. */
export function checkRanges(operation: Operation, shape: readonly number[], { ranges }: Slicing, full: boolean): void {
  const fits = ranges.every(({ from, step, count }, i) => {
    if (count === 0 && !full) return from >= 0 && from <= shape[i]!;
    const to = from + step * (count - 1);
    return Number.isInteger(count) && count > 0 && Math.min(from, to) >= 0 && Math.max(from, to) < shape[i]!;
  });
  if (!fits || ranges.length !== shape.length) {
    fail('MODEL_INVALID', 'a slice does not fit its tensor', { place: operation.place, found: `[${shape}]` });
  }
}

/** Positions of the elements that a slicing takes, row-major. */
export function takenIndex(shape: readonly number[], { ranges }: Slicing): Int32Array {
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  return walk(
    ranges.map(({ count }) => count),
    ranges.map(({ step }, i) => step * strides[i]!),
    ranges.reduce((sum, { from }, i) => sum + from * strides[i]!, 0),
  );
}

/** Positions of the elements of a transposed tensor. */
export function transposedIndex(shape: readonly number[], order: readonly number[]): Int32Array {
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  return walk(
    order.map((axis) => shape[axis]!),
    order.map((axis) => strides[axis]!),
    0,
  );
}

function walk(counts: readonly number[], strides: readonly number[], start: number): Int32Array {
  const out = new Int32Array(sizeOf(counts));
  const at = counts.map(() => 0);
  let position = start;
  for (let i = 0; i < out.length; i++) {
    out[i] = position;
    for (let axis = counts.length - 1; axis >= 0; axis--) {
      position += strides[axis]!;
      if (++at[axis]! < counts[axis]!) break;
      position -= strides[axis]! * counts[axis]!;
      at[axis] = 0;
    }
  }
  return out;
}
