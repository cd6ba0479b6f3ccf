import type { SimpleEncoding } from '@gatefold/runtime';
import type { Moments } from '../moments.ts';
import { nearestLevel } from './nearest.ts';

/** The code whose value is nearest, and that value, for one row of an encoding. */
function coderOf(encoding: SimpleEncoding, row: number): ((w: number) => [code: number, value: number]) | undefined {
  if (encoding.kind === 'dense') return undefined;
  const scale = encoding.scales[Math.floor(row / encoding.rowsPerGroup)]!;
  if (encoding.kind === 'affine') {
    const half = 2 ** (encoding.bits - 1);
    const offset = encoding.offsets?.[Math.floor(row / encoding.rowsPerGroup)] ?? 0;
    return (w) => {
      const code = scale === 0 ? 0 : Math.min(half - 1, Math.max(-half, Math.round((w - offset) / scale)));
      return [code, code * scale + offset];
    };
  }
  const from = Math.floor(row / encoding.rowsPerTable) << encoding.bits;
  const table = Array.from(encoding.levels.subarray(from, from + (1 << encoding.bits)));
  const nearest = nearestLevel(table);
  return (w) => {
    const code = scale === 0 ? 0 : nearest(w / scale);
    return [code, table[code]! * scale];
  };
}

/**
 * Chooses codes column by column, handing each column's error on to the columns that are still to come, so that W·x
 * changes least on the data: optimal brain surgeon in the order of Frantar et al. 2022 ("GPTQ"), with the recurrent
 * matrix's operand h as its data. Scales and levels stay as they were chosen, and so does what was removed (`kept` is 0).
 */
export function compensate(
  encoding: SimpleEncoding,
  values: Float32Array,
  columns: number,
  { order, factor }: Moments,
  kept?: Uint8Array,
): SimpleEncoding {
  if (encoding.kind === 'dense') return encoding;
  const codes = encoding.codes.slice();
  const w = new Float64Array(columns);
  for (let row = 0; row < values.length / columns; row++) {
    const coder = coderOf(encoding, row)!;
    order.forEach((column, i) => {
      w[i] = values[row * columns + column]!;
    });
    for (let i = 0; i < columns; i++) {
      // What was removed stays so, and the others take over what it would now have been.
      const stays = kept === undefined || kept[row * columns + order[i]!] === 1;
      const [code, value] = coder(stays ? w[i]! : 0);
      codes[row * columns + order[i]!] = code;
      const error = (w[i]! - value) / factor[i * columns + i]!;
      for (let k = i + 1; k < columns; k++) w[k] = w[k]! - error * factor[i * columns + k]!;
    }
  }
  return { ...encoding, codes } as SimpleEncoding;
}
