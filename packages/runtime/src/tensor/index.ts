export { packBits, packedLength, unpackBits } from './bits.ts';
export { crc32 } from './crc32.ts';
export { float16From, float16To } from './float16.ts';
export { utf8Decode, utf8Encode } from './text.ts';

/** A dense float32 array in row-major order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Rounds up to a multiple of `to`. */
export function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}
