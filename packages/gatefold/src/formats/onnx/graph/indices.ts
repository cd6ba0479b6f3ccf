import { fail, sizeOf } from '@gatefold/runtime';

/** Elements of a row-major array that a layout op picks, and the shape they come in. */
export interface Picked {
  readonly shape: readonly number[];
  readonly indices: Int32Array;
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

const mostElements = 1 << 26;

/** An array of indices of a shape. @throws FILE_TOO_LARGE */
export function indexArray(shape: readonly number[]): Int32Array {
  const count = sizeOf(shape);
  if (count > mostElements) fail('FILE_TOO_LARGE', 'a constant grows too large', { found: `[${shape}]` });
  return new Int32Array(count);
}

/** Element (i1, i2, …) of `shape` is element offset + Σ ik·stridek. */
export function strided(shape: readonly number[], strides: readonly number[], offset = 0): Picked {
  const indices = indexArray(shape);
  const at = new Array<number>(shape.length).fill(0);
  let position = offset;
  for (let i = 0; i < indices.length; i++) {
    indices[i] = position;
    for (let k = shape.length - 1; k >= 0; k--) {
      position += strides[k]!;
      if (++at[k]! < shape[k]!) break;
      position -= at[k]! * strides[k]!;
      at[k] = 0;
    }
  }
  return { shape, indices };
}

export function transposed(shape: readonly number[], perm: readonly number[]): Picked {
  const strides = stridesOf(shape);
  return strided(
    perm.map((axis) => shape[axis]!),
    perm.map((axis) => strides[axis]!),
  );
}

export interface Range {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** What a slice takes of an axis, by the rules of ONNX (and numpy): ends are clamped, negative ones count back. */
export function rangeOf(size: number, start: number, end: number, step: number): Range {
  const back = step < 0;
  const clamp = (n: number) => {
    const at = n < 0 ? n + size : n;
    return back ? Math.min(Math.max(at, -1), size - 1) : Math.min(Math.max(at, 0), size);
  };
  const from = clamp(start);
  // A far negative end of a backward slice means "before the first".
  const to = back && end < -size ? -1 : clamp(end);
  return { start: from, step, count: Math.max(0, Math.ceil((to - from) / step)) };
}

export function sliced(shape: readonly number[], ranges: readonly Range[]): Picked {
  const strides = stridesOf(shape);
  return strided(
    ranges.map(({ count }) => count),
    ranges.map(({ step }, i) => step * strides[i]!),
    ranges.reduce((sum, { start }, i) => sum + start * strides[i]!, 0),
  );
}

/** numpy's common shape of two; undefined where there is none. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** The elements of an array of `shape` when it is repeated to `to`. */
export function broadcastTo(shape: readonly number[], to: readonly number[]): Picked {
  const strides = stridesOf(shape);
  const skip = to.length - shape.length;
  return strided(
    to,
    to.map((_, i) => (i < skip || shape[i - skip] === 1 ? 0 : strides[i - skip]!)),
  );
}
