import { describe, expect, it } from 'vitest';
import { referenceEngine } from '../../src/engine/reference/index.ts';
import type { Machine } from '../../src/engine/types.ts';
import { type Opcode, opcodeNames } from '../../src/lower/opcodes.ts';
import { functionNames, functionNumber, functionTable } from '../../src/numerics/activation.ts';
import { enginesHere } from '../support/engines.ts';
import { randomSource } from '../support/random.ts';
import { Case } from './case.ts';
import { cases } from './cases.ts';
import { encode, firstDifference, firstStray, Image } from './image.ts';

// Every instruction, with random operands over awkward sizes, on every engine that runs here: what the law fixes must
// have the reference's bits, and nothing else may be written.

const CASES = 60;

const reference = referenceEngine.create(Image.bytes);
const machines = enginesHere()
  .filter((engine) => engine !== referenceEngine)
  .map((engine) => ({ name: engine.name, machine: engine.create(Image.bytes) }));
const names = opcodeNames.filter((op) => op !== 'end' && op !== 'scan');
/** The others work on whole sequences, so they do not stand inside scans. */
const wholeSequence: readonly Opcode[] = ['pick', 'reshape', 'transpose', 'unfold', 'pool', 'reduceTime'];
const perStep = names.filter((op) => !wholeSequence.includes(op));

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

describe('every instruction has the bits of the reference', () => {
  it.each(names)('%s', (op) => {
    for (let seed = 0; seed < CASES; seed++) {
      const random = randomSource(seed * 1000 + opcodeNames.indexOf(op));
      const image = new Image(random, 1 + Math.floor(random() * 5));
      const operands = cases[op](new Case(image, undefined));
      compare(image, image.program([[op, operands]]));
    }
  });
});

describe('inside a scan, forward and backward', () => {
  it.each(perStep)('%s', (op) => {
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

describe('functions over all magnitudes', () => {
  const n = 4096;
  it.each(functionNames)('%s', (name) => {
    const defaults: readonly number[] = functionTable[name].parameters;
    for (const constants of [defaults, defaults.map((value) => 0.7 * value + 0.1), defaults.map(() => 0)]) {
      const random = randomSource(functionNumber(name));
      const image = new Image(random, 1);
      const src = image.allocate(4 * n);
      const dst = image.allocate(4 * n);
      // Random bits: every exponent, infinities and NaN, but no subnormal numbers, which the law excludes.
      for (let i = 0; i < n; i++) {
        const bits = Math.floor(random() * 2 ** 32);
        image.i32[(src >> 2) + i] = (bits & 0x7f800000) === 0 ? 0 : bits;
        if (i % 2 === 1) image.f32[(src >> 2) + i] = (random() - 0.5) * 40;
      }
      image.fix(dst, n, 4 * n);
      const [p0 = 0, p1 = 0, p2 = 0] = constants;
      const operands = { rows: image.register(1), src: [src, 4 * n], dst: [dst, 4 * n], n, p0, p1, p2 } as const;
      compare(image, image.program([['unary', { ...operands, function: functionNumber(name) }]]));
    }
  });
});

// The tiles of the products: every count of rows up to two tiles, with weights that fill them.
describe('rows of a product do not depend on their neighbours', () => {
  const products = [
    'linearF32',
    'linearCodes',
    'linearI8',
    'linearI4',
    'sparseF32',
    'sparseI8',
    'sparseI4',
    'csrF32',
  ] as const;
  it.each(products)('%s', (op) => {
    for (let rows = 1; rows <= 9; rows++) {
      const random = randomSource(rows);
      const image = new Image(random, rows);
      // Inside a scan of one step the rows are the batch.
      const operands = cases[op](new Case(image, 1));
      const bytes = 4 * encode(op, operands).length;
      compare(
        image,
        image.program([
          ['scan', { steps: image.register(1), bytes }],
          [op, operands],
        ]),
      );
    }
  });
});
