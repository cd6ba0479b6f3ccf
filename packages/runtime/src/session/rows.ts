import { fail } from '../errors/index.ts';
import type { Program } from '../lower/index.ts';

/** Values that meet row by row must have equally many rows; lengths are only known now. */
export function checkRows({ times, buffers, blocks }: Program, rows: readonly number[]): void {
  for (const block of blocks) {
    if (block.kind !== 'rows') continue;
    for (const { op, operands } of block.instructions) {
      if (op !== 'binary' && op !== 'copy' && op !== 'select') continue;
      const wanted = operands.rows && 'rowsOf' in operands.rows ? rows[operands.rows.rowsOf]! : 1;
      for (const operand of Object.values(operands)) {
        if (operand && 'ref' in operand && rows[buffers[operand.ref.buffer]!.time] !== wanted) {
          fail('INPUT_SHAPE', 'sequences that are combined have different numbers of steps', {
            expected: `${wanted}`,
            found: `${rows[buffers[operand.ref.buffer]!.time]} (${times[buffers[operand.ref.buffer]!.time]!.kind})`,
          });
        }
      }
    }
  }
}
