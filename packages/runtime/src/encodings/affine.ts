import { fail } from '../errors/index.ts';
import { packBits, packedLength, sizeOf, unpackBits } from '../tensor/index.ts';
import {
  type ArraySource,
  type Descriptor,
  keptCount,
  keptOf,
  oneOf,
  restoreFloats,
  type StoredArray,
  spread,
  storeFloats,
  wholeNumber,
} from './storage.ts';
import type { AffineEncoding } from './types.ts';

/** Refuses scales with which a code would mean no finite number. */
function checkReach(scales: Float32Array, half: number, place: string): void {
  if (scales.every((scale) => Number.isFinite(Math.fround(scale * half)))) return;
  fail('MODEL_VALUE', 'a scale makes weights infinite', { place: `${place}.scales` });
}

export const affine = {
  bits: ({ bits }: AffineEncoding) => bits,

  /** Exactly fround(fround(q·scale) + offset), element by element. */
  decode(encoding: AffineEncoding, shape: readonly number[]): Float32Array {
    const { codes, scales, offsets, rowsPerGroup } = encoding;
    const out = new Float32Array(codes.length);
    const perGroup = (codes.length / shape[0]!) * rowsPerGroup;
    for (let i = 0; i < out.length; i++) {
      const group = Math.floor(i / perGroup);
      const value = Math.fround(codes[i]! * scales[group]!);
      out[i] = offsets ? value + offsets[group]! : value;
    }
    return out;
  },

  describe: ({ bits, scaleType, rowsPerGroup, offsets }: AffineEncoding): Descriptor => ({
    kind: 'affine',
    bits,
    scales: scaleType,
    group: rowsPerGroup,
    ...(offsets ? { offsets: true } : {}),
  }),

  store(
    { bits, codes, scaleType, scales, offsets }: AffineEncoding,
    _shape: readonly number[],
    kept?: Uint8Array,
  ): StoredArray[] {
    const half = 1 << (bits - 1);
    const bytes = packBits(
      Array.from(keptOf(codes, kept), (q) => q + half),
      bits,
    );
    return [
      { suffix: '.codes', type: 'U8', shape: [bytes.length], bytes },
      storeFloats('.scales', scaleType, scales, [scales.length]),
      ...(offsets ? [storeFloats('.offsets', scaleType, offsets, [offsets.length])] : []),
    ];
  },

  restore(descriptor: Descriptor, shape: readonly number[], source: ArraySource, kept?: Uint8Array): AffineEncoding {
    const rows = shape[0]!;
    const bits = wholeNumber(descriptor, 'bits', 1, 16, source.place);
    const rowsPerGroup = wholeNumber(descriptor, 'group', 1, rows, source.place);
    const scaleType = oneOf(descriptor, 'scales', ['f32', 'f16'] as const, source.place);
    const groups = Math.ceil(rows / rowsPerGroup);
    const count = keptCount(shape, kept);
    const half = 1 << (bits - 1);
    const unsigned = unpackBits(source.take('.codes', 'U8', packedLength(count, bits)), count, bits);
    const stored = Int16Array.from(unsigned, (code) => code - half);
    const codes = spread(bits <= 8 ? new Int8Array(sizeOf(shape)) : new Int16Array(sizeOf(shape)), stored, kept);
    const scales = restoreFloats(source, '.scales', scaleType, groups);
    checkReach(scales, half, source.place);
    if (!descriptor.offsets) return { kind: 'affine', bits, codes, scaleType, rowsPerGroup, scales };
    const offsets = restoreFloats(source, '.offsets', scaleType, groups);
    return { kind: 'affine', bits, codes, scaleType, rowsPerGroup, scales, offsets };
  },
};
