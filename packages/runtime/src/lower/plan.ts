import type { Program } from './program.ts';

/**
 * Gives every buffer a place such that buffers in use at the same time do not overlap (greedy by first use). A scan
 * counts as one moment, because its buffers live from step to step.
 */
export function planBuffers(program: Program, sizes: readonly number[]): { offsets: number[]; bytes: number } {
  const from: number[] = sizes.map(() => Number.POSITIVE_INFINITY);
  const to: number[] = sizes.map(() => -1);
  let moment = 0;
  const touch = (buffer: number) => {
    from[buffer] = Math.min(from[buffer]!, moment);
    to[buffer] = Math.max(to[buffer]!, moment);
  };
  for (const { buffer } of program.inputs) touch(buffer);
  for (const block of program.blocks) {
    if (block.kind === 'scan') moment++;
    for (const { operands } of block.instructions) {
      if (block.kind === 'rows') moment++;
      for (const operand of Object.values(operands)) if (operand && 'ref' in operand) touch(operand.ref.buffer);
    }
  }
  moment++;
  for (const { buffer } of program.outputs) touch(buffer);

  const order = sizes.map((_, i) => i).sort((a, b) => from[a]! - from[b]! || a - b);
  const offsets: number[] = sizes.map(() => 0);
  const placed: number[] = [];
  let bytes = 0;
  for (const buffer of order) {
    const neighbours = placed
      .filter((other) => from[other]! <= to[buffer]! && from[buffer]! <= to[other]!)
      .sort((a, b) => offsets[a]! - offsets[b]!);
    let at = 0;
    for (const other of neighbours) {
      if (at + sizes[buffer]! <= offsets[other]!) break;
      at = Math.max(at, offsets[other]! + sizes[other]!);
    }
    offsets[buffer] = at;
    bytes = Math.max(bytes, at + sizes[buffer]!);
    placed.push(buffer);
  }
  return { offsets, bytes };
}
