import { sizeOf } from '../tensor/index.ts';
import { type ArraySource, type Descriptor, oneOf, restoreFloats, type StoredArray, storeFloats } from './storage.ts';
import type { DenseEncoding } from './types.ts';

export const dense = {
  bits: ({ type }: DenseEncoding) => (type === 'f32' ? 32 : 16),
  decode: ({ values }: DenseEncoding) => values,
  describe: ({ type }: DenseEncoding): Descriptor => ({ kind: 'dense', type }),
  store: ({ type, values }: DenseEncoding, shape: readonly number[]): StoredArray[] => [
    storeFloats('', type, values, shape),
  ],
  restore(descriptor: Descriptor, shape: readonly number[], source: ArraySource): DenseEncoding {
    const type = oneOf(descriptor, 'type', ['f32', 'f16'] as const, source.place);
    return { kind: 'dense', type, values: restoreFloats(source, '', type, sizeOf(shape)) };
  },
};
