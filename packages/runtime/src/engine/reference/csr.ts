import type { Frame } from './frame.ts';
import { finish } from './linear.ts';

const f32 = Math.fround;

/** A weight of a row: its column and its place among the weights. */
interface Entry {
  readonly column: number;
  readonly number: number;
}

/** The weights of each row of W, from an index as csrF32 has it. */
function entriesOf(f: Frame): Entry[][] {
  const out: Entry[][] = [];
  const u16 = new Uint16Array(f.u8.buffer);
  let at = f.int('index') >> 1;
  let number = 0;
  for (let group = 0; group < 4 * f.int('strips'); group++) {
    const rows = u16.subarray(at, at + 4);
    const counts = u16.subarray(at + 4, at + 8);
    at += 8;
    for (const row of rows) out[row] = [];
    const take = (row: number) => out[row]!.push({ column: u16[at++]!, number: number++ });
    for (let i = 0; i < counts[0]!; i++) for (const row of rows) take(row);
    rows.forEach((row, lane) => {
      for (let i = counts[0]!; i < counts[lane]!; i++) take(row);
    });
  }
  return out;
}

export function csrF32(f: Frame): void {
  const src = f.ref('src');
  const rows = entriesOf(f);
  const weights = f.int('weights') >> 2;
  for (let r = 0; r < f.rows; r++) {
    const x = src.at + r * src.stride;
    rows.forEach((entries, i) => {
      const sum = entries.reduce(
        (s, { column, number }) => f32(s + f32(f.f32[weights + number]! * f.f32[x + column]!)),
        0,
      );
      finish(f, r, i, sum);
    });
  }
}
