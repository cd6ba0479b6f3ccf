import { instructionSet, instructionWords, memoryMap, type Opcode, opcodeNames } from '../../lower/opcodes.ts';
import type { Machine } from '../types.ts';

// The relaxed dot product may be wrong where an engine has it: V8 of Node 20, behind its flag, forgets the accumulator
// in its first compiler tier. So it must first get the hardest sums right: −128 and 127 times 127 onto something.

const K = 256;
const CODE = 127;
const LEVELS = [-128, 127];
const START = 12345;
/** V8 compiles a function again after some ten thousand rounds of its loops; a call of the program makes about 500. */
const CALLS = 64;

/** Which of the two levels stands in row i, column j of W: constant and alternating rows of each. */
const level = (i: number, j: number): number => (i & 2 ? i + j : i) & 1;

/** Where the image's parts lie: one after the other. */
const at = place({
  codes: 4 * K,
  meta: 64,
  tables: 16,
  scales: 64,
  start: 64,
  wide: 16 * K,
  narrow: 8 * K,
  dst: 512,
  code: 512,
});
export const probeBytes = at.code + 512;

function place<Part extends string>(sizes: Record<Part, number>): Record<Part, number> {
  const places = {} as Record<Part, number>;
  let next = 64;
  for (const part of Object.keys(sizes) as Part[]) {
    places[part] = next;
    next += sizes[part];
  }
  return places;
}

/** Runs both integer products on 4, 2 and 1 rows until they must have been optimized; says what was wrong. */
export function probeDotProducts(machine: Machine): string | undefined {
  const { buffer } = machine.memory;
  const bytes = new Uint8Array(buffer);
  const words = new Int32Array(buffer);
  const floats = new Float32Array(buffer);
  bytes.fill(CODE, at.codes, at.codes + 4 * K);
  // Every row has scale 1 and the sum 0, and so has W.
  for (let row = 0; row < 4; row++) floats.set([1, 0], (at.meta >> 2) + 4 * row);
  floats.fill(1, at.scales >> 2, (at.scales >> 2) + 16);
  words.fill(START, at.start >> 2, (at.start >> 2) + 16);
  bytes.set(LEVELS, at.tables);
  for (let i = 0; i < 16; i++) {
    for (let j = 0; j < K; j++) {
      const inBlock = (i & 3) * 4 + (j & 3);
      const block = i >> 2;
      bytes[at.wide + (j >> 2) * 64 + block * 16 + inBlock] = LEVELS[level(i, j)]!;
      bytes[at.narrow + (j >> 2) * 32 + (block >> 1) * 16 + inBlock]! |= level(i, j) << (4 * (block & 1));
    }
  }
  words[memoryMap.registers >> 2] = 1;
  const program = [...product('linearI8', at.wide), ...product('linearI4', at.narrow), 1 << 8];
  words.set(program, at.code >> 2);
  const expected = Array.from({ length: 16 }, (_, i) => {
    let sum = START;
    for (let j = 0; j < K; j++) sum += LEVELS[level(i, j)]! * CODE;
    return sum;
  });
  for (let call = 0; call < CALLS; call++) {
    const batch = [4, 2, 1][call % 3]!;
    words[memoryMap.batch >> 2] = batch;
    floats.fill(0, at.dst >> 2, (at.dst >> 2) + 128);
    machine.run(at.code);
    for (let kernel = 0; kernel < 2; kernel++) {
      for (let i = 0; i < 16 * batch; i++) {
        const found = floats[(at.dst >> 2) + 64 * kernel + i]!;
        if (found !== expected[i & 15])
          return `its dot products are not exact: ${found} instead of ${expected[i & 15]}`;
      }
    }
  }
  return undefined;
}

function product(op: Opcode & `linear${string}`, weights: number): number[] {
  const refs: Record<string, [number, number]> = {
    codes: [at.codes, K],
    meta: [at.meta, 16],
    dst: [at.dst + (weights === at.narrow ? 256 : 0), 64],
  };
  const { scales, start, tables } = at;
  const rows = memoryMap.registers;
  const values: Record<string, number> = { rows, weights, strips: 1, k: K, scales, start, digits: 1, tables };
  const operands = instructionSet[op].flatMap(([name, kind]) =>
    kind === 'ref' ? (refs[name] ?? [0, 0]) : [values[name] ?? 0],
  );
  return [opcodeNames.indexOf(op) | (instructionWords(op) << 8), ...operands];
}
