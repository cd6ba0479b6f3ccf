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
import type { LevelsEncoding } from './types.ts';

const schemes = ['log', 'pow2', 'codebook', 'balanced', 'ternary', 'binary'] as const;

/** Gives the weights that were removed a code that means 0. */
function zeroRemoved(encoding: LevelsEncoding, rows: number, kept: Uint8Array, place: string): void {
  const { bits, codes, levels: table, scales, rowsPerGroup, rowsPerTable } = encoding;
  const columns = codes.length / rows;
  for (let row = 0; row < rows; row++) {
    const own = kept.subarray(row * columns, (row + 1) * columns);
    if (own.every((bit) => bit === 1)) continue;
    const from = Math.floor(row / rowsPerTable) << bits;
    const zero = table.subarray(from, from + (1 << bits)).indexOf(0);
    if (zero < 0 && scales[Math.floor(row / rowsPerGroup)] !== 0) {
      fail('FILE_CORRUPT', 'weights were removed, but no level is 0', {
        place: `${place}.levels`,
        found: `row ${row}`,
      });
    }
    for (let i = 0; i < columns; i++) if (own[i] === 0) codes[row * columns + i] = Math.max(0, zero);
  }
}

export const levels = {
  bits: ({ bits }: LevelsEncoding) => bits,

  /** Exactly fround(level·scale), element by element. */
  decode(encoding: LevelsEncoding, shape: readonly number[]): Float32Array {
    const { codes, scales, rowsPerGroup, rowsPerTable, bits } = encoding;
    const columns = codes.length / shape[0]!;
    const out = new Float32Array(codes.length);
    for (let i = 0; i < out.length; i++) {
      const row = Math.floor(i / columns);
      const table = Math.floor(row / rowsPerTable) << bits;
      out[i] = encoding.levels[table + codes[i]!]! * scales[Math.floor(row / rowsPerGroup)]!;
    }
    return out;
  },

  describe: ({ scheme, bits, scaleType, rowsPerGroup, rowsPerTable }: LevelsEncoding): Descriptor => ({
    kind: 'levels',
    scheme,
    bits,
    scales: scaleType,
    group: rowsPerGroup,
    table: rowsPerTable,
  }),

  store(
    { bits, codes, scaleType, scales, levels: table }: LevelsEncoding,
    _shape: readonly number[],
    kept?: Uint8Array,
  ): StoredArray[] {
    const bytes = packBits(keptOf(codes, kept), bits);
    return [
      { suffix: '.codes', type: 'U8', shape: [bytes.length], bytes },
      storeFloats('.scales', scaleType, scales, [scales.length]),
      storeFloats('.levels', 'f32', table, [table.length >> bits, 1 << bits]),
    ];
  },

  restore(descriptor: Descriptor, shape: readonly number[], source: ArraySource, kept?: Uint8Array): LevelsEncoding {
    const rows = shape[0]!;
    const { place } = source;
    const scheme = oneOf(descriptor, 'scheme', schemes, place);
    const bits = wholeNumber(descriptor, 'bits', 1, 8, place);
    const rowsPerGroup = wholeNumber(descriptor, 'group', 1, rows, place);
    const rowsPerTable = wholeNumber(descriptor, 'table', 1, rows, place);
    const scaleType = oneOf(descriptor, 'scales', ['f32', 'f16'] as const, place);
    const count = keptCount(shape, kept);
    const stored = unpackBits(source.take('.codes', 'U8', packedLength(count, bits)), count, bits);
    const codes = spread(new Uint8Array(sizeOf(shape)), stored, kept);
    const scales = restoreFloats(source, '.scales', scaleType, Math.ceil(rows / rowsPerGroup));
    const table = restoreFloats(source, '.levels', 'f32', Math.ceil(rows / rowsPerTable) << bits);
    if (bits <= 4 && !table.every((level) => Number.isInteger(level) && Math.abs(level) <= 127)) {
      fail('FILE_CORRUPT', 'levels of up to 4 bits must be whole numbers from -127 to 127', {
        place: `${place}.levels`,
      });
    }
    const largest = table.reduce((most, level) => Math.max(most, Math.abs(level)), 0);
    if (!scales.every((scale) => Number.isFinite(Math.fround(scale * largest)))) {
      fail('MODEL_VALUE', 'a scale makes weights infinite', { place: `${place}.scales` });
    }
    const encoding = { kind: 'levels', scheme, bits, codes, scaleType, rowsPerGroup, scales, rowsPerTable } as const;
    const made = { ...encoding, levels: table };
    if (kept) zeroRemoved(made, rows, kept, place);
    return made;
  },
};
