import { fail, float16To, sizeOf } from '@gatefold/runtime';
import type { ReadOptions } from '../../types.ts';
import type { Message } from '../proto/schema.ts';
import { type Constant, constant, type ElementType } from './tensor.ts';

interface Storage {
  readonly type: ElementType;
  /** Bytes of an element in raw data; ½ for four bits. */
  readonly bytes: number;
  /** Element i of raw data. */
  readonly read: (view: DataView, i: number) => number;
  /** The field that holds elements where they are not raw. */
  readonly field: 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data';
  /** What an element of that field means, where it is not itself. */
  readonly mean?: (stored: number) => number;
}

const nibble = (view: DataView, i: number) => (view.getUint8(i >> 1) >> ((i & 1) * 4)) & 15;
const bfloat = new DataView(new ArrayBuffer(4));
const bfloat16 = (bits: number): number => {
  bfloat.setUint32(0, (bits & 0xffff) << 16);
  return bfloat.getFloat32(0);
};
const big = (high: number, low: number) => high * 4_294_967_296 + low;

/** ONNX' element types by their numbers. */
export const storages: Readonly<Record<number, Storage>> = {
  1: { type: 'float', bytes: 4, read: (v, i) => v.getFloat32(i * 4, true), field: 'floatData' },
  2: { type: 'int', bytes: 1, read: (v, i) => v.getUint8(i), field: 'int32Data' },
  3: { type: 'int', bytes: 1, read: (v, i) => v.getInt8(i), field: 'int32Data' },
  4: { type: 'int', bytes: 2, read: (v, i) => v.getUint16(i * 2, true), field: 'int32Data' },
  5: { type: 'int', bytes: 2, read: (v, i) => v.getInt16(i * 2, true), field: 'int32Data' },
  6: { type: 'int', bytes: 4, read: (v, i) => v.getInt32(i * 4, true), field: 'int32Data' },
  7: {
    type: 'int',
    bytes: 8,
    read: (v, i) => big(v.getInt32(i * 8 + 4, true), v.getUint32(i * 8, true)),
    field: 'int64Data',
  },
  9: { type: 'bool', bytes: 1, read: (v, i) => (v.getUint8(i) === 0 ? 0 : 1), field: 'int32Data' },
  10: {
    type: 'float',
    bytes: 2,
    read: (v, i) => float16To(v.getUint16(i * 2, true)),
    field: 'int32Data',
    mean: (stored) => float16To(stored & 0xffff),
  },
  11: { type: 'float', bytes: 8, read: (v, i) => v.getFloat64(i * 8, true), field: 'doubleData' },
  12: { type: 'int', bytes: 4, read: (v, i) => v.getUint32(i * 4, true), field: 'uint64Data' },
  13: {
    type: 'int',
    bytes: 8,
    read: (v, i) => big(v.getUint32(i * 8 + 4, true), v.getUint32(i * 8, true)),
    field: 'uint64Data',
  },
  16: {
    type: 'float',
    bytes: 2,
    read: (v, i) => bfloat16(v.getUint16(i * 2, true)),
    field: 'int32Data',
    mean: bfloat16,
  },
  21: { type: 'int', bytes: 0.5, read: nibble, field: 'int32Data' },
  22: { type: 'int', bytes: 0.5, read: (v, i) => (nibble(v, i) << 28) >> 28, field: 'int32Data' },
};

const mostElements = 1 << 28;

/** The bytes of external data, by the file's entries about them. */
export async function externalBytes(
  tensor: Message<'Tensor'>,
  place: string,
  beside: ReadOptions['beside'],
): Promise<Uint8Array> {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location');
  if (!location) fail('FILE_CORRUPT', 'external data without a location', { place });
  if (!beside) {
    fail('FILE_READ', 'the tensor stands in a file beside the model', {
      place,
      found: location,
      hint: 'read the model from its folder',
    });
  }
  const bytes = await beside(location);
  const number = (key: string, otherwise: number) => {
    const value = entries.get(key);
    return value === undefined ? otherwise : /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  };
  const offset = number('offset', 0);
  const length = number('length', bytes.length - offset);
  if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
    fail('FILE_TRUNCATED', 'external data end before the tensor does', { place, found: `${bytes.length} bytes` });
  }
  return bytes.subarray(offset, offset + length);
}

/**
 * A tensor of the file as numbers: floats as float32, whole numbers as float64 (beyond 2^53 rounded).
 * @throws FILE_CORRUPT, FILE_TRUNCATED, FILE_TOO_LARGE, MODEL_UNSUPPORTED
 */
export async function readTensor(
  tensor: Message<'Tensor'>,
  place: string,
  beside: ReadOptions['beside'],
): Promise<Constant> {
  const storage = storages[tensor.dataType ?? 0];
  if (!storage || tensor.segment) {
    fail('MODEL_UNSUPPORTED', 'a tensor of a type that has no meaning here', {
      place,
      expected: 'float, double, float16, bfloat16, bool or whole numbers',
      found: `ONNX type ${tensor.dataType ?? 0}`,
    });
  }
  const shape = tensor.dims;
  const odd = shape.find((n) => !(Number.isSafeInteger(n) && n >= 0));
  const count = sizeOf(shape);
  if (odd !== undefined || shape.length > 16)
    fail('FILE_CORRUPT', 'a tensor has a malformed shape', { place, found: `[${shape}]` });
  if (count > mostElements) fail('FILE_TOO_LARGE', 'a tensor is too large', { place, found: `[${shape}]` });
  const isExternal = tensor.dataLocation === 1;
  const raw = isExternal ? await externalBytes(tensor, place, beside) : tensor.rawData;
  const stored = tensor[storage.field];
  const nibbles = storage.bytes < 1 && !raw;
  const expected = raw ? Math.ceil(count * storage.bytes) : nibbles ? Math.ceil(count / 2) : count;
  const found = raw ? raw.length : stored.length;
  if (found !== expected) {
    fail('FILE_CORRUPT', 'a tensor holds more or less than its shape says', {
      place,
      expected: `${expected} ${raw ? 'bytes' : 'numbers'} for [${shape}]`,
      found: String(found),
    });
  }
  const data = storage.type === 'float' ? new Float32Array(count) : new Float64Array(count);
  const packed = nibbles ? Uint8Array.from(stored) : raw;
  if (packed) {
    const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    for (let i = 0; i < count; i++) data[i] = storage.read(view, i);
  } else {
    const mean = storage.mean ?? ((value: number) => value);
    for (let i = 0; i < count; i++) data[i] = mean(stored[i]!);
  }
  const made = constant(storage.type, shape, data);
  return tensor.dataType === 10 ? { ...made, coding: 'half' } : made;
}
