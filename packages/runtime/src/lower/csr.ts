import { roundUp } from '../tensor/index.ts';
import type { Reader } from './pack.ts';

/** The single weights of a product that are not zero. */
export interface Entries {
  /** Rows in the order of the kernel, by fours, each with its columns, ascending. */
  readonly rows: readonly { readonly row: number; readonly columns: readonly number[] }[];
  readonly count: number;
}

/**
 * Looks for zeros; undefined where more than the share `upTo` of the weights would be left, or more than 16 bits can count. Rows are as many
 * as strips of 16 have.
 */
export function findEntries(rows: number, columns: number, read: Reader, upTo: number): Entries | undefined {
  const height = roundUp(rows, 16);
  if (Math.max(height, columns) > 0xffff) return undefined;
  const most = upTo * rows * columns;
  // Most products are dense, and loading a model should not make lists for them.
  let count = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) if (read(row, column) !== 0) count++;
    if (count > most) return undefined;
  }
  const lists = Array.from({ length: height }, (_, row) => {
    const own: number[] = [];
    for (let column = 0; row < rows && column < columns; column++) if (read(row, column) !== 0) own.push(column);
    return { row, columns: own };
  });
  lists.sort((a, b) => a.columns.length - b.columns.length);
  return { rows: lists, count };
}

/** Calls back for every weight in the order of the kernel: by turns of four rows, then what the longer ones have more. */
function eachEntry({ rows }: Entries, use: (row: number, column: number) => void): void {
  for (let i = 0; i < rows.length; i += 4) {
    const four = rows.slice(i, i + 4);
    const shared = four[0]!.columns.length;
    for (let k = 0; k < shared; k++) for (const { row, columns } of four) use(row, columns[k]!);
    for (const { row, columns } of four) for (const column of columns.slice(shared)) use(row, column);
  }
}

/** The list of columns as csrF32 wants it. */
export function entryIndex({ rows, count }: Entries): Uint16Array {
  const out = new Uint16Array(2 * rows.length + count);
  let at = 0;
  for (let i = 0; i < rows.length; i += 4) {
    const four = rows.slice(i, i + 4);
    for (const { row } of four) out[at++] = row;
    for (const { columns } of four) out[at++] = columns.length;
    eachEntry({ rows: four, count }, (_, column) => {
      out[at++] = column;
    });
  }
  return out;
}

/** Weights in the order of csrF32. */
export function packEntries(entries: Entries, read: Reader): Float32Array {
  const out = new Float32Array(entries.count);
  let at = 0;
  eachEntry(entries, (row, column) => {
    out[at++] = read(row, column);
  });
  return out;
}
