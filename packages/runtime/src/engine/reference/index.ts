import { fail } from '../../errors/index.ts';
import type { Opcode } from '../../lower/index.ts';
import type { Engine, Machine } from '../types.ts';
import * as csr from './csr.ts';
import * as elementwise from './elementwise.ts';
import { Frame } from './frame.ts';
import * as linear from './linear.ts';
import * as sequence from './sequence.ts';
import * as sparse from './sparse.ts';

const meaning: Readonly<Record<Exclude<Opcode, 'end' | 'scan'>, (frame: Frame) => void>> = {
  linearF32: linear.linearF32,
  linearCodes: linear.linearCodes,
  quantize: linear.quantize,
  linearI8: linear.linearI8,
  linearI4: linear.linearI4,
  embed: linear.embed,
  ...sparse,
  ...csr,
  ...elementwise,
  ...sequence,
};

/** Executes from word `pc` up to word `stop` or an `end`; `step` of `steps` inside a scan. */
function execute(buffer: ArrayBuffer, pc: number, stop: number, step: number, steps: number): void {
  let at = pc;
  while (at < stop) {
    const frame = new Frame(buffer, at, step, steps);
    if (frame.op === 'end') return;
    at += frame.words;
    if (frame.op === 'scan') {
      const count = frame.register('steps');
      const end = at + (frame.int('bytes') >> 2);
      for (let s = 0; s < count; s++) {
        execute(buffer, at, end, frame.int('backward') ? count - 1 - s : s, count);
      }
      at = end;
    } else {
      meaning[frame.op](frame);
    }
  }
}

class ReferenceMachine implements Machine {
  memory: { buffer: ArrayBuffer };

  constructor(bytes: number) {
    this.memory = { buffer: allocate(bytes) };
  }

  reserve(bytes: number): void {
    const old = this.memory.buffer;
    if (old.byteLength >= bytes) return;
    const grown = allocate(bytes);
    new Uint8Array(grown).set(new Uint8Array(old));
    this.memory = { buffer: grown };
  }

  run(pc: number): void {
    const { buffer } = this.memory;
    execute(buffer, pc >> 2, buffer.byteLength >> 2, 0, 1);
  }
}

function allocate(bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(Math.ceil(bytes / 16) * 16);
  } catch {
    return fail('MEMORY_LIMIT', 'the memory cannot be allocated', { found: `${bytes} bytes` });
  }
}

/** The scalar oracle: one instruction after the other, one float after the other. Slow by design. */
export const referenceEngine: Engine = {
  name: 'reference',
  unavailable: () => undefined,
  create: (bytes) => new ReferenceMachine(bytes),
  prepare: async () => {},
};
