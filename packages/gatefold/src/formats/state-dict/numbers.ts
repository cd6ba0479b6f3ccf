import { fail, float16From, float16To } from '@gatefold/runtime';
import type { StoredType } from './types.ts';

/** Bytes per element. */
export const elementSize: Readonly<Record<StoredType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

type Reader = (view: DataView, at: number, little: boolean) => number;

const bits = new Uint32Array(1);
const real = new Float32Array(bits.buffer);

function bfloat16To(half: number): number {
  bits[0] = half << 16;
  return real[0]!;
}

/** The nearest bfloat16 (ties to even). */
function bfloat16From(value: number): number {
  real[0] = value;
  const word = bits[0]!;
  if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

const readers: Readonly<Record<StoredType, Reader>> = {
  F64: (view, at, little) => view.getFloat64(at, little),
  F32: (view, at, little) => view.getFloat32(at, little),
  F16: (view, at, little) => float16To(view.getUint16(at, little)),
  BF16: (view, at, little) => bfloat16To(view.getUint16(at, little)),
  I64: (view, at, little) => Number(view.getBigInt64(at, little)),
  I32: (view, at, little) => view.getInt32(at, little),
  I16: (view, at, little) => view.getInt16(at, little),
  I8: (view, at) => view.getInt8(at),
  U8: (view, at) => view.getUint8(at),
  BOOL: (view, at) => view.getUint8(at),
};

/** Where the elements of a tensor lie in its memory. Strides and offset count elements. */
export interface Layout {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

/** Strides of a row-major tensor. */
export function rowMajor(shape: readonly number[]): number[] {
  const out = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) out[i] = out[i + 1]! * shape[i + 1]!;
  return out;
}

function isRowMajor({ shape, stride }: Layout): boolean {
  return rowMajor(shape).every((step, d) => step === stride[d]);
}

/** Byte positions of a tensor's elements, in row-major order. */
function* positions({ offset, shape, stride }: Layout, size: number): Generator<number> {
  const total = shape.reduce((product, n) => product * n, 1);
  const index = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < total; i++) {
    yield at * size;
    for (let d = shape.length - 1; d >= 0; d--) {
      at += stride[d]!;
      if (++index[d]! < shape[d]!) break;
      at -= stride[d]! * shape[d]!;
      index[d] = 0;
    }
  }
}

/** Values as float32; `bytes` are the tensor's memory. */
export function decodeNumbers(bytes: Uint8Array, type: StoredType, layout: Layout, little = true): Float32Array {
  const size = elementSize[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = readers[type];
  const out = new Float32Array(layout.shape.reduce((product, n) => product * n, 1));
  if (isRowMajor(layout)) {
    for (let i = 0, at = layout.offset * size; i < out.length; i++, at += size) out[i] = read(view, at, little);
    return out;
  }
  let i = 0;
  for (const at of positions(layout, size)) out[i++] = read(view, at, little);
  return out;
}

/** The elements of a tensor side by side in row-major order, little-endian. */
export function gatherBytes(bytes: Uint8Array, type: StoredType, layout: Layout, little = true): Uint8Array {
  const size = elementSize[type];
  const length = layout.shape.reduce((product, n) => product * n, size);
  if (little && isRowMajor(layout)) return bytes.subarray(layout.offset * size, layout.offset * size + length);
  const out = new Uint8Array(length);
  let to = 0;
  for (const at of positions(layout, size)) {
    const element = bytes.subarray(at, at + size);
    out.set(little ? element : Uint8Array.from(element).reverse(), to);
    to += size;
  }
  return out;
}

/** Writes values into a tensor's memory, rounded to its type. @throws MODEL_VALUE where a value does not fit the type */
export function encodeNumbers(
  bytes: Uint8Array,
  type: StoredType,
  layout: Layout,
  values: Float32Array,
  place: string,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let i = 0;
  for (const at of positions(layout, elementSize[type])) {
    const value = values[i++]!;
    if (type === 'F32') view.setFloat32(at, value, true);
    else if (type === 'F64') view.setFloat64(at, value, true);
    else if (type === 'F16') view.setUint16(at, halfOf(value, place), true);
    else if (type === 'BF16') view.setUint16(at, bfloat16From(value), true);
    else fail('MODEL_UNSUPPORTED', 'weights cannot be written into a tensor of integers', { place, found: type });
  }
}

function halfOf(value: number, place: string): number {
  const half = float16From(value);
  if ((half & 0x7c00) === 0x7c00) {
    fail('MODEL_VALUE', 'a weight is too large for the float16 of the file', { place, found: String(value) });
  }
  return half;
}

export function isStoredType(type: string): type is StoredType {
  return Object.hasOwn(elementSize, type);
}
