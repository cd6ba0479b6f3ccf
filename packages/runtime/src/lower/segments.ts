import { partsOf, type SimpleEncoding, type Weight } from '../encodings/index.ts';
import { fail } from '../errors/index.ts';
import { roundUp } from '../tensor/index.ts';

/** A run of a weight's rows in one encoding, and where its outputs go. */
export interface Segment {
  readonly encoding: SimpleEncoding;
  /** Rows of the encoding's own arrays. */
  readonly from: number;
  readonly rows: number;
  /** First output float; a multiple of 16. */
  readonly output: number;
}

/**
 * Cuts rows `first` … `first + count − 1` (in blocks of `blockRows`, each padded to 16 outputs) where encodings or
 * blocks change. Each segment starts a strip.
 */
export function segments(weight: Weight, blockRows: number, first: number, count: number, place: string): Segment[] {
  const out: Segment[] = [];
  const padded = roundUp(blockRows, 16);
  for (const part of partsOf(weight.encoding, weight.shape[0]!)) {
    let row = Math.max(part.from, first);
    const end = Math.min(part.from + part.rows, first + count);
    while (row < end) {
      const block = Math.floor(row / blockRows);
      // Blocks that need no padding follow each other without a gap.
      const rows = (blockRows === padded ? end : Math.min(end, (block + 1) * blockRows)) - row;
      const within = row - block * blockRows;
      if (within % 16 !== 0) {
        fail('MODEL_UNSUPPORTED', 'parts of a weight must start at a gate or at a multiple of 16 rows', {
          place,
          found: `row ${row}`,
        });
      }
      const output = (block - Math.floor(first / blockRows)) * padded + within;
      out.push({ encoding: part.encoding, from: row - part.from, rows, output });
      row += rows;
    }
  }
  return out;
}
