import { describe, expect, it } from 'vitest';
import { referenceEngine } from '../../src/engine/reference/index.ts';
import type { Machine } from '../../src/engine/types.ts';
import { type Opcode, opcodeNames } from '../../src/lower/opcodes.ts';
import { enginesHere } from '../support/engines.ts';
import { randomSource } from '../support/random.ts';
import { Case, cases } from './cases.ts';
import { encode, firstDifference, firstStray, Image } from './image.ts';

// Every instruction, with random operands over awkward sizes, on every engine that runs here: what the law fixes must
// have the reference's bits, and nothing else may be written.

const CASES = 60;

const reference = referenceEngine.create(Image.bytes);
const machines = enginesHere()
  .filter((engine) => engine !== referenceEngine)
  .map((engine) => ({ name: engine.name, machine: engine.create(Image.bytes) }));
const names = opcodeNames.filter((op) => op !== 'end' && op !== 'scan');
/** These work on whole sequences, so they do not stand inside scans. */
const wholeSequence: readonly Opcode[] = ['pick', 'reshape', 'transpose', 'unfold', 'pool', 'reduceTime'];

function execute(machine: Machine, image: Image, pc: number): ArrayBuffer {
  new Uint8Array(machine.memory.buffer).set(image.u8);
  machine.run(pc);
  return machine.memory.buffer;
}

function compare(image: Image, pc: number): void {
  const expected = execute(reference, image, pc);
  for (const { name, machine } of machines) {
    const found = execute(machine, image, pc);
    const fault = firstDifference(image, expected, found) ?? firstStray(image, found);
    expect(fault && `${name}: ${fault}`).toBeUndefined();
  }
}

describe.each(names)('%s', (op) => {
  it('has the bits of the reference', () => {
    for (let seed = 0; seed < CASES; seed++) {
      const random = randomSource(seed * 1000 + opcodeNames.indexOf(op));
      const image = new Image(random, 1 + Math.floor(random() * 5));
      const operands = cases[op](new Case(image, undefined));
      compare(image, image.program([[op, operands]]));
    }
  });

  it.skipIf(wholeSequence.includes(op))('has them inside a scan, forward and backward', () => {
    for (let seed = 0; seed < CASES / 2; seed++) {
      const random = randomSource(seed * 1000 + 500 + opcodeNames.indexOf(op));
      const image = new Image(random, 1 + Math.floor(random() * 4));
      const steps = Math.floor(random() * 5);
      const operands = cases[op](new Case(image, steps));
      const bytes = 4 * encode(op, operands).length;
      const scan = { steps: image.register(steps), backward: seed & 1, bytes };
      const after = image.allocate(64);
      image.fix(after, 4, 16);
      // What follows the scan runs once, on registers' rows again.
      const last = { rows: image.register(1), dst: [after, 0], n: 4, value: 7 } as const;
      compare(
        image,
        image.program([
          ['scan', scan],
          [op, operands],
          ['fill', last],
        ]),
      );
    }
  });
});

it('stops at end', () => {
  const image = new Image(randomSource(1), 1);
  const dst = image.allocate(64);
  compare(
    image,
    image.program([
      ['end', {}],
      ['fill', { rows: image.register(1), dst: [dst, 0], n: 4, value: 1 }],
    ]),
  );
});
