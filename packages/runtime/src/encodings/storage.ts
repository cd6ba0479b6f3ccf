import { fail, showValue } from '../errors/index.ts';
import { float16From, float16To, sizeOf } from '../tensor/index.ts';

/** One array of an encoding as it stands in a file, named by its suffix to the weight's name ('' for plain values). */
export interface StoredArray {
  readonly suffix: string;
  readonly type: 'F32' | 'F16' | 'U8';
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** What a file says about an encoding beside its arrays. */
export type Descriptor = Readonly<Record<string, unknown>>;

/** Hands out the stored arrays of one weight and remembers which were taken. */
export interface ArraySource {
  /** The bytes of the array; fails with FILE_CORRUPT where it is absent or of another type or length. */
  take(suffix: string, type: StoredArray['type'], count: number): Uint8Array;
  readonly place: string;
}

/** The elements that stand in a file: those marked in `kept`, or all. */
export function keptOf<T extends Float32Array | Int8Array | Int16Array | Uint8Array | Uint16Array>(
  values: T,
  kept: Uint8Array | undefined,
): T {
  return (kept ? values.filter((_: number, i: number) => kept[i] === 1) : values) as T;
}

/** How many elements {@link keptOf} gives. */
export function keptCount(shape: readonly number[], kept: Uint8Array | undefined): number {
  return kept ? kept.reduce((sum, bit) => sum + bit, 0) : sizeOf(shape);
}

/** The inverse of {@link keptOf}: elements that were not stored become zero. */
export function spread<T extends Float32Array | Int8Array | Int16Array | Uint8Array>(
  out: T,
  stored: ArrayLike<number>,
  kept: Uint8Array | undefined,
): T {
  let at = 0;
  for (let i = 0; i < out.length; i++) if (!kept || kept[i] === 1) out[i] = stored[at++]!;
  return out;
}

/** Float values as little-endian bytes. */
export function storeFloats(
  suffix: string,
  type: 'f32' | 'f16',
  values: Float32Array,
  shape: readonly number[],
): StoredArray {
  const size = type === 'f32' ? 4 : 2;
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    if (type === 'f32') view.setFloat32(i * 4, values[i]!, true);
    else view.setUint16(i * 2, float16From(values[i]!), true);
  }
  return { suffix, type: type === 'f32' ? 'F32' : 'F16', shape, bytes };
}

/** The inverse of {@link storeFloats}; refuses NaN and infinite values. */
export function restoreFloats(source: ArraySource, suffix: string, type: 'f32' | 'f16', count: number): Float32Array {
  const bytes = source.take(suffix, type === 'f32' ? 'F32' : 'F16', count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const value = type === 'f32' ? view.getFloat32(i * 4, true) : float16To(view.getUint16(i * 2, true));
    if (!Number.isFinite(value)) {
      fail('MODEL_VALUE', 'a weight is not finite', { place: `${source.place}${suffix}[${i}]`, found: String(value) });
    }
    out[i] = value;
  }
  return out;
}

/** Rounds values to float16 in place where the type asks for it; returns them. */
export function roundTo(type: 'f32' | 'f16', values: Float32Array): Float32Array {
  if (type === 'f16') for (let i = 0; i < values.length; i++) values[i] = float16To(float16From(values[i]!));
  return values;
}

/** Reads a whole number within bounds from a descriptor. */
export function wholeNumber(from: Descriptor, key: string, low: number, high: number, place: string): number {
  const value = from[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
    fail('FILE_CORRUPT', `encoding field "${key}" is out of range`, {
      place,
      expected: `a whole number from ${low} to ${high}`,
      found: showValue(value),
    });
  }
  return value;
}

/** Reads one of several words from a descriptor. */
export function oneOf<T extends string>(from: Descriptor, key: string, words: readonly T[], place: string): T {
  const value = from[key];
  if (!words.includes(value as T)) {
    fail('FILE_CORRUPT', `encoding field "${key}" is unknown`, {
      place,
      expected: words.join(' | '),
      found: showValue(value),
    });
  }
  return value as T;
}
