import { fail, float16To } from '@gatefold/runtime';

export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array;

export interface NpyArray {
  readonly shape: number[];
  /** Row-major. */
  readonly data: NumberArray;
}

const readers: Readonly<Record<string, [size: number, read: (view: DataView, count: number) => NumberArray]>> = {
  f2: [2, (v, n) => Float32Array.from({ length: n }, (_, i) => float16To(v.getUint16(2 * i, true)))],
  f4: [4, (v, n) => Float32Array.from({ length: n }, (_, i) => v.getFloat32(4 * i, true))],
  f8: [8, (v, n) => Float64Array.from({ length: n }, (_, i) => v.getFloat64(8 * i, true))],
  i1: [1, (v, n) => Int8Array.from({ length: n }, (_, i) => v.getInt8(i))],
  u1: [1, (v, n) => Uint8Array.from({ length: n }, (_, i) => v.getUint8(i))],
  b1: [1, (v, n) => Uint8Array.from({ length: n }, (_, i) => v.getUint8(i))],
  i2: [2, (v, n) => Int16Array.from({ length: n }, (_, i) => v.getInt16(2 * i, true))],
  i4: [4, (v, n) => Int32Array.from({ length: n }, (_, i) => v.getInt32(4 * i, true))],
  u4: [4, (v, n) => Uint32Array.from({ length: n }, (_, i) => v.getUint32(4 * i, true))],
  i8: [8, (v, n) => BigInt64Array.from({ length: n }, (_, i) => v.getBigInt64(8 * i, true))],
};

/** Whether the bytes start like a .npy file. */
function isNpy(bytes: Uint8Array): boolean {
  return bytes.length >= 10 && bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === 'NUMPY';
}

/**
 * Reads a NumPy .npy file (format 1 or 2, little-endian, C or Fortran order); `place` names it in errors. float16
 * comes as float32, bool as 0 and 1. Pickled objects are refused.
 * @throws DATA_INVALID
 */
export function readNpy(bytes: Uint8Array, place = 'npy'): NpyArray {
  const refuse = (message: string, detail = {}): never => fail('DATA_INVALID', message, { place, ...detail });
  if (!isNpy(bytes)) refuse('not a .npy file');
  const major = bytes[6]!;
  if (major !== 1 && major !== 2) refuse('an unknown version of .npy', { expected: '1 or 2', found: `${major}` });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (major === 2 && bytes.length < 12) refuse('the file ends inside its header');
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length) {
    refuse('the file ends inside its header', { expected: `${start + length} bytes`, found: `${bytes.length}` });
  }
  if (length > 65_536) refuse('the header is too long', { found: `${length} bytes` });
  const header = String.fromCharCode(...bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const dims = /'shape':\s*\(([\d, ]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || dims === undefined) {
    return refuse('malformed header', { found: header.slice(0, 80) });
  }
  const type = /^[<|=]([a-z]\d)$/.exec(descr)?.[1];
  const [size, read] =
    (type !== undefined && Object.hasOwn(readers, type) ? readers[type] : undefined) ??
    refuse('numbers of this type are not read', {
      expected: Object.keys(readers).join(', '),
      found: descr,
      ...(descr.includes('O') ? { hint: 'sequences of different lengths go into arrays named x[0], x[1], …' } : {}),
    });
  const shape = dims.split(',').flatMap((dim) => (dim.trim() === '' ? [] : [Number(dim)]));
  const count = shape.reduce((product, n) => product * n, 1);
  const left = bytes.length - start - length;
  if (!Number.isSafeInteger(count) || count * size !== left) {
    refuse('shape and length differ', {
      expected: `${count * size} bytes for [${shape.join(', ')}]`,
      found: `${left}`,
    });
  }
  const data = read(new DataView(bytes.buffer, bytes.byteOffset + start + length, left), count);
  return { shape, data: fortran === 'True' && shape.length > 1 ? toRowMajor(data, shape) : data };
}

/** Numbers as float32. (`Float32Array.from` goes through a list, which large arrays do not fit into.) */
export function toFloat32(data: NumberArray): Float32Array {
  if (data instanceof Float32Array) return data;
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(data[i]);
  return out;
}

/** Writes a .npy file of version 1. */
export function writeNpy({
  shape,
  data,
}: {
  readonly shape: readonly number[];
  readonly data: NumberArray;
}): Uint8Array {
  const bare = `{'descr': '${descrOf(data)}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  // The data start at a multiple of 64; the header ends in a line feed.
  const length = Math.ceil((10 + bare.length + 1) / 64) * 64 - 10;
  const out = new Uint8Array(10 + length + data.byteLength);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8]);
  const header = `${bare.padEnd(length - 1)}\n`;
  for (let i = 0; i < length; i++) out[10 + i] = header.charCodeAt(i);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return out;
}

function descrOf(data: NumberArray): string {
  if (data instanceof Float32Array) return '<f4';
  if (data instanceof Float64Array) return '<f8';
  if (data instanceof Int8Array) return '|i1';
  if (data instanceof Uint8Array) return '|u1';
  if (data instanceof Int16Array) return '<i2';
  if (data instanceof Int32Array) return '<i4';
  if (data instanceof Uint32Array) return '<u4';
  return '<i8';
}

function toRowMajor(data: NumberArray, shape: readonly number[]): NumberArray {
  const out = data.slice();
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < data.length; i++) {
    let at = 0;
    for (let d = 0; d < shape.length; d++) at = at * shape[d]! + index[d]!;
    out[at] = data[i]!;
    for (let d = 0; d < shape.length && ++index[d]! === shape[d]; d++) index[d] = 0;
  }
  return out;
}
