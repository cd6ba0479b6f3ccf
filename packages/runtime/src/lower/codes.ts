import { decode, type SimpleEncoding, type Weight } from '../encodings/index.ts';
import { fail } from '../errors/index.ts';
import type { Reader } from './pack.ts';
import type { Segment } from './segments.ts';

/** How a segment's encoding reads, element by element, in the terms of the kernels; rows count within the segment. */
export interface Codes {
  /** Decoded value. */
  readonly real: Reader;
  /** Signed whole level: affine code or table level. */
  readonly level: Reader;
  /** Table index. */
  readonly index: Reader;
  /** Per row of the encoding. */
  readonly scale: (row: number) => number;
  readonly offset?: ((row: number) => number) | undefined;
  readonly tables: (strips: number) => Int8Array;
}

export function codesOf(encoding: SimpleEncoding, { from }: Segment, columns: number, weight: Weight): Codes {
  const none = (): never => fail('MODEL_INVALID', 'a float weight has no codes');
  if (encoding.kind === 'dense') {
    const real: Reader = (row, k) => encoding.values[(from + row) * columns + k]!;
    return { real, level: none, index: none, scale: none, tables: none };
  }
  const { codes, scales, rowsPerGroup } = encoding;
  const scale = (row: number) => scales[Math.floor(row / rowsPerGroup)]!;
  const code: Reader = (row, k) => codes[(from + row) * columns + k]!;
  if (encoding.kind === 'affine') {
    const { offsets, bits } = encoding;
    const half = 1 << (bits - 1);
    return {
      real: none,
      level: code,
      index: (row, k) => code(row, k) + half,
      scale,
      offset: offsets && ((row) => offsets[Math.floor(row / rowsPerGroup)]!),
      tables: (strips) => {
        const out = new Int8Array(strips * 16);
        for (let i = 0; i < out.length; i++) out[i] = (i & 15) < 2 * half ? (i & 15) - half : 0;
        return out;
      },
    };
  }
  const { levels, bits, rowsPerTable } = encoding;
  const table = (row: number) => Math.floor(row / rowsPerTable) << bits;
  let decoded: Float32Array | undefined;
  return {
    real: (row, k) => {
      decoded ??= decode({ encoding, shape: [codes.length / columns, ...weight.shape.slice(1)] });
      return decoded[(from + row) * columns + k]!;
    },
    level: (row, k) => levels[table(from + row) + code(row, k)]!,
    index: code,
    scale,
    tables: (strips) => {
      const out = new Int8Array(strips * 16);
      const lastRow = codes.length / columns - 1;
      for (let strip = 0; strip < strips; strip++) {
        const start = table(Math.min(from + strip * 16, lastRow));
        for (let i = 0; i < 1 << bits; i++) out[strip * 16 + i] = levels[start + i]!;
      }
      return out;
    },
  };
}
