import { sizeOf } from '../tensor/index.ts';
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
} from './storage.ts';
import type { DenseEncoding } from './types.ts';

export const dense = {
  bits: ({ type }: DenseEncoding) => (type === 'f32' ? 32 : 16),
  decode: ({ values }: DenseEncoding) => values,
  describe: ({ type }: DenseEncoding): Descriptor => ({ kind: 'dense', type }),
  store: ({ type, values }: DenseEncoding, shape: readonly number[], kept?: Uint8Array): StoredArray[] => [
    storeFloats('', type, keptOf(values, kept), kept ? [keptCount(shape, kept)] : shape),
  ],
  restore(descriptor: Descriptor, shape: readonly number[], source: ArraySource, kept?: Uint8Array): DenseEncoding {
    const type = oneOf(descriptor, 'type', ['f32', 'f16'] as const, source.place);
    const stored = restoreFloats(source, '', type, keptCount(shape, kept));
    return { kind: 'dense', type, values: kept ? spread(new Float32Array(sizeOf(shape)), stored, kept) : stored };
  },
};
