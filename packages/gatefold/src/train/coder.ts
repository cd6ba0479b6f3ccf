import { type AffineEncoding, fail, type LevelsEncoding, roundTo, type Weight } from '@gatefold/runtime';
import type { Backend, WeightCodes } from './backend/types.ts';

/** Scales are kept normal numbers. */
const smallest = { f32: 2 ** -100, f16: 2 ** -14 };

/** How the codes of an encoding are made, and back. */
export interface Coder {
  readonly encoding: AffineEncoding | LevelsEncoding;
  readonly codes: Omit<WeightCodes, 'scales'>;
  /** The code that means a level, for rows of a table. */
  readonly codeOf: (level: number, row: number) => number;
}

/** The scales after steps: logarithms of what they were multiplied by. */
export function scalesFor({ encoding: { scales, scaleType } }: Coder, steps: ArrayLike<number>): Float32Array {
  const out = scales.map((scale, i) => {
    const size = Math.max(Math.abs(scale) * Math.exp(steps[i]!), smallest[scaleType]);
    // A negative scale puts the code without a counterpart at the largest positive weight.
    return scale < 0 ? -size : size;
  });
  return scaleType === 'f16' ? roundTo('f16', out) : out;
}

/** @throws MODEL_UNSUPPORTED for codes that cannot be trained */
export function coderOf(backend: Backend, { encoding }: Weight, place: string): Coder {
  if (encoding.kind === 'affine') return affineCoder(encoding, place);
  return encoding.kind === 'levels' ? levelsCoder(encoding, backend) : refuse(place, encoding.kind);
}

export function refuse(place: string, found: string): never {
  return fail('MODEL_UNSUPPORTED', 'only linear codes around zero, and tables, of at most 8 bits can be trained', {
    place,
    found,
    hint: 'choose linear codes, symmetric, or a table, one width per weight; or freeze the weight',
  });
}

function affineCoder(encoding: AffineEncoding, place: string): Coder {
  const { bits, offsets, rowsPerGroup } = encoding;
  if (offsets || bits > 8) refuse(place, `${bits} bits${offsets ? ' with an offset' : ''}`);
  const half = 2 ** (bits - 1);
  return { encoding, codes: { rowsPerGroup, low: -half, high: half - 1 }, codeOf: Math.round };
}

function levelsCoder(encoding: LevelsEncoding, backend: Backend): Coder {
  const { bits, levels, rowsPerGroup, rowsPerTable } = encoding;
  const count = 2 ** bits;
  const tables = Array.from({ length: levels.length / count }, (_, i) => [
    ...levels.subarray(i * count, (i + 1) * count),
  ]);
  const ascending = tables.map((table) => table.toSorted((a, b) => a - b));
  const table = backend.alloc(tables.length, count);
  backend.write(table, ascending.flat());
  return {
    encoding,
    codes: { rowsPerGroup, ...reachOf(ascending), levels: { table, rowsPerTable } },
    codeOf: (level, row) => {
      const own = tables[Math.floor(row / rowsPerTable)]!;
      let nearest = 0;
      for (let code = 1; code < count; code++) {
        if (Math.abs(own[code]! - level) < Math.abs(own[nearest]! - level)) nearest = code;
      }
      return nearest;
    },
  };
}

/**
 * How far out weights still learn: half a distance between levels beyond the outermost, so that those of two levels can go to and fro.
 */
function reachOf(ascending: readonly (readonly number[])[]): { low: number; high: number } {
  const bounds = ascending.map((levels) => {
    const distinct = [...new Set(levels)];
    const [first, second = first] = distinct;
    const [last, before = last] = distinct.toReversed();
    return { low: first! - (second! - first!) / 2, high: last! + (last! - before!) / 2 };
  });
  return { low: Math.min(...bounds.map(({ low }) => low)), high: Math.max(...bounds.map(({ high }) => high)) };
}
