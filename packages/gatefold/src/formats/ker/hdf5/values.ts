import { fail, float16To, utf8Decode } from '@gatefold/runtime';
import type { H5Metadata, H5Module } from './types.ts';

const maxTextBytes = 2 ** 28;

/** Copies `bytes` that `fill` writes into the library's heap; `free` returns what the library allocated for them. */
export function takeBytes<T>(
  module: H5Module,
  bytes: number,
  fill: (pointer: bigint) => number,
  use: (data: Uint8Array, pointer: bigint) => T,
): T {
  const pointer = module._malloc(Math.max(bytes, 8));
  if (pointer === 0) fail('FILE_TOO_LARGE', 'a value of the file does not fit into memory', { found: `${bytes} bytes` });
  try {
    if (fill(BigInt(pointer)) < 0) fail('FILE_CORRUPT', 'a value of the HDF5 file cannot be read');
    // The heap moves when it grows: its view is taken after the call.
    return use(module.HEAPU8.slice(pointer, pointer + bytes), BigInt(pointer));
  } finally {
    module._free(pointer);
  }
}

/** Name of a number type: `float32`, `int64`, … */
export function typeName({ type, size, signed }: H5Metadata): string {
  if (type === 1) return `float${size * 8}`;
  if (type === 0) return `${signed ? '' : 'u'}int${size * 8}`;
  return type === 3 ? 'text' : `type ${type}`;
}

/** Little-endian floating-point numbers of the named type as float32; undefined where it is none. */
export function toFloat32(data: Uint8Array, type: string): Float32Array | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (type) {
    case 'float16':
      return Float32Array.from({ length: data.length >> 1 }, (_, i) => float16To(view.getUint16(2 * i, true)));
    case 'float32':
      return Float32Array.from({ length: data.length >> 2 }, (_, i) => view.getFloat32(4 * i, true));
    case 'float64':
      return Float32Array.from({ length: data.length >> 3 }, (_, i) => view.getFloat64(8 * i, true));
    default:
      return undefined;
  }
}

/** Texts of fixed length: zeros at the end are padding. */
export function fixedTexts(data: Uint8Array, size: number, count: number, place: string): string[] {
  return Array.from({ length: count }, (_, i) => {
    const bytes = data.subarray(i * size, (i + 1) * size);
    const end = bytes.indexOf(0);
    return decodeText(end < 0 ? bytes : bytes.subarray(0, end), place);
  });
}

/** Texts of variable length: `data` holds a pointer into the heap for each. */
export function pointedTexts(heap: Uint8Array, data: Uint8Array, count: number, place: string): string[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: count }, (_, i) => {
    const start = view.getUint32(4 * i, true);
    if (start === 0) return '';
    const end = heap.indexOf(0, start);
    if (end < 0 || end - start > maxTextBytes) {
      fail('FILE_TOO_LARGE', 'a text of the file is too long', { place, expected: `at most ${maxTextBytes} bytes` });
    }
    return decodeText(heap.slice(start, end), place);
  });
}

/** Keras writes UTF-8, whatever the file says of it. */
function decodeText(bytes: Uint8Array, place: string): string {
  return utf8Decode(bytes) ?? fail('FILE_CORRUPT', 'a text of the file is not UTF-8', { place });
}
