import { decode, denseWeight, type Model, partsOf, Session, sizeOf, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { enginesHere } from '../support/engines.ts';
import { codings, modelOf } from '../support/models.ts';
import { randomSource, randomValues } from '../support/random.ts';
import { type Pruning, prune } from '../support/sparse.ts';

function denseModel(kernel: Weight, bias: Weight): Model {
  return modelOf(
    'dense',
    { kernel, bias },
    {
      inputs: [{ name: 'x', shape: ['batch', kernel.shape[1]!], dtype: 'float32' }],
      outputs: [{ name: 'y', value: 'y' }],
      nodes: [
        {
          name: 'dense',
          op: 'dense',
          inputs: { x: 'x' },
          outputs: { y: 'y' },
          attributes: {},
          weights: { kernel: 'kernel', bias: 'bias' },
        },
      ],
      states: [],
    },
  );
}

const opsOf = ({ program }: Session) => program.blocks.flatMap(({ instructions }) => instructions.map(({ op }) => op));

function kernel(coding: string, seed: number, shape: [number, number], pruning: Pruning): Weight {
  const random = randomSource(seed);
  const plain = denseWeight(shape, randomValues(random, sizeOf(shape)));
  return prune(codings[coding]!(plain, random, shape[0]), random, shape[0], pruning);
}

/** W·x + b in float32, all columns in order: what a dense product computes. */
function plainly(weight: Weight, bias: Float32Array, x: Float32Array): Float32Array {
  const values = decode(weight);
  const [rows, columns] = weight.shape as [number, number];
  return Float32Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum = Math.fround(sum + Math.fround(values[row * columns + k]! * x[k]!));
    return Math.fround(sum + bias[row]!);
  });
}

describe('a float32 product that leaves zeros out', () => {
  it('has the bits of the whole one', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = randomSource(seed + 1000);
      const whole = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
      const shape: [number, number] = [whole(1, 70), whole(1, 70)];
      const density = [0, 0.05, 0.3, 0.5][whole(0, 3)]!;
      const silent = random() < 0.5 ? ({ silent: true } as const) : {};
      const block = [
        [8, 4],
        [1, 1],
        [1, 7],
      ][seed % 3] as [number, number];
      const weight = kernel('f32', seed, shape, { block, density, ...silent });
      const bias = randomValues(random, shape[0]);
      const x = randomValues(random, shape[1], 3);
      // Products that underflow, and zeros of either sign.
      for (let i = 0; i < x.length; i += 7) x[i] = [1e-38, -0, 0, -1e-30][i & 3]!;
      const expected = Array.from(plainly(weight, bias, x));
      for (const engine of enginesHere()) {
        const session = new Session(denseModel(weight, denseWeight([shape[0]], bias)), { engine });
        if (density === 0) expect(opsOf(session)).toEqual(['csrF32']);
        // Alone and as one of several rows.
        const batch = 5;
        const many = randomValues(random, batch * shape[1]);
        many.set(x, 2 * shape[1]);
        expect(Array.from(session.run(x).y!.data)).toEqual(expected);
        const data = session.run(many, { batch }).y!.data;
        expect(Array.from(data.slice(2 * shape[0], 3 * shape[0]))).toEqual(expected);
      }
    }
  });

  it('carries nothing over a removed connection, not even what is not finite', () => {
    const shape: [number, number] = [16, 8];
    const values = new Float32Array(128);
    for (let row = 0; row < 8; row++) values[row * 8] = 1;
    const model = denseModel(denseWeight(shape, values), denseWeight([16], new Float32Array(16)));
    for (const engine of enginesHere()) {
      const { data } = new Session(model, { engine }).run(Float32Array.of(2, 0, 0, 0, Number.NaN, 1 / 0, 0, 0)).y!;
      expect(Array.from(data)).toEqual([...new Array<number>(8).fill(2), ...new Array<number>(8).fill(0)]);
    }
  });
});

describe('a diagonal on its own', () => {
  it.each(['f32', 'int8', 'int4', 'log4', 'codebook6', 'mixed'])(
    'is added last, with the float operand, in %s',
    (coding) => {
      for (const shape of [
        [24, 24],
        [40, 12],
        [9, 33],
      ] as [number, number][]) {
        const [rows, columns] = shape;
        const random = randomSource(rows);
        const weight = kernel(coding, 4, shape, { block: [8, 4], density: 0.2, diagonal: true });
        const bias = randomValues(random, rows);
        const x = randomValues(random, columns, 3);
        const n = Math.min(rows, columns);
        const values = decode(weight);
        const diagonal = Float32Array.from({ length: n }, (_, i) => values[i * columns + i]!);
        expect(diagonal.every((value) => value !== 0) || coding !== 'f32').toBe(true);
        // The rest as a weight of its own, which takes the kernels it takes.
        const { sparsity: _, ...rest } = weight;
        const bare = { ...rest, encoding: prune(rest, () => 1, rows, { block: [1, 1], density: 0 }).encoding };
        for (let i = 0; i < values.length; i++) {
          const [row, column] = [Math.floor(i / columns), i % columns];
          if (row !== column) copyCode(weight, bare, i);
        }
        for (const engine of enginesHere()) {
          const run = (w: Weight) => new Session(denseModel(w, denseWeight([rows], bias)), { engine }).run(x).y!.data;
          const expected = run(bare).map((v, i) => (i < n ? v + Math.fround(diagonal[i]! * x[i]!) : v));
          expect(Array.from(run(weight))).toEqual(Array.from(expected));
        }
      }
    },
  );
});

/** Gives element i of one weight the code or value of the other's. */
function copyCode(from: Weight, to: Weight, i: number): void {
  const parts = (weight: Weight) => partsOf(weight.encoding, weight.shape[0]!);
  const columns = sizeOf(from.shape.slice(1));
  const at = parts(from).findIndex((part) => i < (part.from + part.rows) * columns);
  const own = i - parts(from)[at]!.from * columns;
  const array = (weight: Weight) => {
    const { encoding } = parts(weight)[at]!;
    return encoding.kind === 'dense' ? encoding.values : encoding.codes;
  };
  array(to)[own] = array(from)[own]!;
}

describe('the sparse product is chosen', () => {
  const [engine] = enginesHere();
  const opsAt = (coding: string, pruning: Pruning) =>
    opsOf(
      new Session(denseModel(kernel(coding, 1, [64, 64], pruning), denseWeight([64], new Float32Array(64))), {
        engine: engine!,
      }),
    );
  const blocks = (density: number): Pruning => ({ block: [8, 4], density });

  it.each([
    ['f32', 'sparseF32'],
    ['f16', 'sparseF32'],
    ['codebook6', 'sparseF32'],
    ['int8', 'sparseI8'],
    ['int8Wide', 'sparseI8'],
    ['int4', 'sparseI4'],
    ['log4', 'sparseI4'],
  ])('for few tiles of %s', (coding, op) => {
    expect(opsAt(coding, blocks(0.2))).toContain(op);
    expect(opsAt(coding, { ...blocks(0.2), silent: true })).toContain(op);
  });

  it('for few single weights of a float product, where tiles would be many', () => {
    for (const coding of ['f32', 'f16', 'codebook6']) {
      expect(opsAt(coding, { block: [1, 1], density: 0.05 })).toContain('csrF32');
      expect(opsAt(coding, { block: [2, 1], density: 0.25 })).toContain('linearF32');
    }
    expect(opsAt('f32', { block: [4, 4], density: 0.1 })).toContain('sparseF32');
  });

  it('not for many tiles, single weights all over, or where there is none', () => {
    expect(opsAt('f32', blocks(0.95))).toContain('linearF32');
    expect(opsAt('int8', { block: [1, 1], density: 0.3 })).toContain('linearI8');
    expect(opsAt('int12Symmetric', blocks(0.1))).toContain('linearCodes');
  });
});
