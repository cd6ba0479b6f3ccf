import { fail, float16To } from '@gatefold/runtime';
import type { Cursor } from './cursor.ts';

/** A type of elements, as far as it is read. */
export interface DataType {
  /** `float32`, `int64`, `text`, `pointed text`, …, for messages. */
  readonly name: string;
  readonly kind: 'float' | 'text' | 'pointed text' | 'other';
  /** Bytes per element. */
  readonly size: number;
  readonly bigEndian: boolean;
}

const classNames = ['int', 'float', 'time', 'text', 'bits', 'opaque', 'compound', 'reference', 'enum', 'list', 'array'];
/** Widths of the exponents of IEEE 754 numbers by their bytes. */
const exponents: Readonly<Record<number, number>> = { 2: 5, 4: 8, 8: 11 };

export function readDataType(cursor: Cursor): DataType {
  const tag = cursor.u8();
  const [low, middle] = [cursor.u8(), cursor.u8()];
  cursor.skip(1);
  const size = cursor.u32();
  const className = classNames[tag & 15] ?? cursor.corrupt('has an element type of an unknown class');
  if (size === 0) cursor.corrupt('has elements of no size');
  const bigEndian = (low & 1) !== 0;
  const other = (name: string): DataType => ({ name, kind: 'other', size, bigEndian });
  if (className === 'text') return { name: 'text', kind: 'text', size, bigEndian: false };
  if (className === 'int') return other(`${low & 8 ? '' : 'u'}int${size * 8}`);
  if (className === 'list' && (low & 15) === 1) return { name: 'text', kind: 'pointed text', size, bigEndian: false };
  if (className !== 'float') return other(className);
  // Bit offset, precision, exponent position and size, mantissa position and size; the sign's place is in the flags.
  const [offset, precision, , exponent] = [cursor.u16(), cursor.u16(), cursor.u8(), cursor.u8()];
  const isIeee = offset === 0 && precision === size * 8 && exponents[size] === exponent && middle === size * 8 - 1;
  return isIeee && (low & 64) === 0
    ? { name: `float${size * 8}`, kind: 'float', size, bigEndian }
    : other(`float of ${size} bytes with an exponent of ${exponent} bits`);
}

/** Elements as float32. @throws MODEL_UNSUPPORTED where they are no numbers with a fraction */
export function toFloat32(data: Uint8Array, { name, kind, size, bigEndian }: DataType, place: string): Float32Array {
  if (kind !== 'float') {
    fail('MODEL_UNSUPPORTED', 'weights of this type are not read', {
      place,
      expected: 'float16, float32 or float64',
      found: name,
      hint: 'save the model in float32',
    });
  }
  // WebAssembly's hosts are little-endian, as nearly all files are.
  if (size === 4 && !bigEndian) return new Float32Array(new Uint8Array(data).buffer);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const little = !bigEndian;
  const out = new Float32Array(data.length / size);
  for (let i = 0; i < out.length; i++) {
    if (size === 4) out[i] = view.getFloat32(4 * i, little);
    else if (size === 8) out[i] = view.getFloat64(8 * i, little);
    else out[i] = float16To(view.getUint16(2 * i, little));
  }
  return out;
}

/** Dimensions; [] is a single value, null is none at all. */
export function readDataspace(cursor: Cursor): readonly number[] | null {
  const version = cursor.u8();
  const rank = cursor.u8();
  if (version < 1 || version > 2 || rank > 32) cursor.corrupt('has unreadable dimensions');
  cursor.skip(1);
  const isNull = version === 2 && cursor.u8() === 2;
  if (version === 1) cursor.skip(5);
  if (isNull) return null;
  return Array.from({ length: rank }, () => {
    const dim = cursor.length();
    return Number.isSafeInteger(dim) && dim >= 0
      ? dim
      : cursor.corrupt('has an impossible dimension', { found: `${dim}` });
  });
}
