import { fail, float16To, sizeOf } from '@gatefold/runtime';
import type { Quantization, Tensor, TensorType } from './parse.ts';

export type NumberArray = Float32Array | Int8Array | Int16Array | Int32Array | Uint8Array | Float64Array;

/** A tensor of known numbers: stored, or folded from stored ones. */
export interface Constant {
  readonly kind: 'constant';
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** As stored; float16 widened, int64 as numbers. */
  readonly data: NumberArray;
  readonly quantization?: Quantization;
}

const widths: Partial<Record<TensorType, number>> = {
  FLOAT32: 4,
  FLOAT16: 2,
  INT32: 4,
  INT64: 8,
  INT16: 2,
  INT8: 1,
  UINT8: 1,
  BOOL: 1,
};

/** @throws MODEL_UNSUPPORTED for types without a meaning here, FILE_CORRUPT where the length does not fit */
export function constantOf(tensor: Tensor): Constant {
  const { name, shape, type, quantization } = tensor;
  const bytes = tensor.data!;
  const width = widths[type];
  if (width === undefined)
    return fail('MODEL_UNSUPPORTED', `tensor "${name}" holds ${type}`, { place: name, found: type });
  const count = sizeOf(shape);
  if (bytes.length !== count * width) {
    fail('FILE_CORRUPT', 'a tensor and its buffer differ in size', {
      place: name,
      expected: `${count * width} bytes for [${shape}]`,
      found: String(bytes.length),
    });
  }
  const data = numbers(type, bytes, count);
  return { kind: 'constant', name, shape, type, data, ...(quantization ? { quantization } : {}) };
}

function numbers(type: TensorType, bytes: Uint8Array, count: number): NumberArray {
  // A copy is aligned, as the file's bytes need not be.
  const { buffer } = bytes.slice();
  switch (type) {
    case 'FLOAT32':
      return new Float32Array(buffer);
    case 'INT32':
      return new Int32Array(buffer);
    case 'INT16':
      return new Int16Array(buffer);
    case 'INT8':
      return new Int8Array(buffer);
    case 'FLOAT16': {
      const halves = new Uint16Array(buffer);
      return Float32Array.from(halves, (half) => float16To(half));
    }
    case 'INT64': {
      const longs = new BigInt64Array(buffer);
      return Float64Array.from({ length: count }, (_, i) => Number(longs[i]));
    }
    default:
      return new Uint8Array(buffer);
  }
}

/** Real values, quantized ones decoded. */
export function realsOf({ data, shape, quantization, type }: Constant): Float32Array {
  if (!quantization || type === 'FLOAT32' || type === 'FLOAT16') return Float32Array.from(data);
  const { scales, zeros, axis } = quantization;
  const inner = scales.length === 1 ? data.length : sizeOf(shape.slice(axis + 1));
  return Float32Array.from(data, (code, i) => {
    const group = scales.length === 1 ? 0 : Math.floor(i / inner) % scales.length;
    return Math.fround((code - zeros[group]!) * scales[group]!);
  });
}

/** A small list of whole numbers: shapes, axes, slices. @throws MODEL_UNSUPPORTED */
export function wholesOf(constant: Constant, place: string): number[] {
  const { data, name } = constant;
  if (data.length > 64 || !data.every(Number.isInteger)) {
    fail('MODEL_UNSUPPORTED', 'a list of whole numbers is expected', { place, found: name });
  }
  return [...data];
}

/** The bias of a recurrent or dense layer where all of it is zero. */
export function isZero({ data, quantization }: Constant): boolean {
  const zero = quantization && quantization.zeros.length === 1 ? quantization.zeros[0]! : 0;
  return data.every((value: number) => value === zero);
}

/** A single one, whatever codes it. */
export function isOne(constant: Constant | undefined): boolean {
  return constant?.data.length === 1 && realsOf(constant)[0] === 1;
}
