import {
  bitsPerWeight,
  decode,
  denseWeight,
  type ErrorCode,
  GatefoldError,
  keptWeights,
  type Model,
  readGatefold,
  type Sparsity,
  sizeOf,
  storedBytes,
  validate,
  type Weight,
  writeGatefold,
} from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { codings, modelOf } from '../support/models.ts';
import { randomSource, randomValues } from '../support/random.ts';
import { prune } from '../support/sparse.ts';
import { edited, type Json, putTogether, takeApart, withTensor } from './forge.ts';

/** x → dense → y with the given kernel. */
function denseModel(kernel: Weight): Model {
  return modelOf(
    'dense',
    { kernel },
    {
      inputs: [{ name: 'x', shape: ['batch', sizeOf(kernel.shape.slice(1))], dtype: 'float32' }],
      outputs: [{ name: 'y', value: 'y' }],
      nodes: [
        {
          name: 'dense',
          op: 'dense',
          inputs: { x: 'x' },
          outputs: { y: 'y' },
          attributes: {},
          weights: { kernel: 'kernel' },
        },
      ],
      states: [],
    },
  );
}

const symmetric = [
  'f32',
  'f16',
  'int8',
  'int8Wide',
  'int4',
  'int12Symmetric',
  'log4',
  'codebook2Float',
  'codebook6',
  'mixed',
];

function sparseWeight(
  coding: string,
  seed: number,
  shape: [number, number],
  gates: number,
  pruning: Pick<Sparsity, 'block'> & { density: number },
) {
  const random = randomSource(seed);
  const plain = denseWeight(shape, randomValues(random, sizeOf(shape)));
  const rows = shape[0] / gates;
  return prune(codings[coding]!(plain, random, rows), random, rows, pruning);
}

describe('a sparse weight', () => {
  it.each(symmetric)('of %s comes back from its file, whatever its shape and blocks', (coding) => {
    for (let seed = 0; seed < 40; seed++) {
      const random = randomSource(seed * 77 + coding.length);
      const whole = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
      const gates = whole(1, 4);
      const shape: [number, number] = [gates * whole(1, 20), whole(1, 30)];
      const block = [whole(1, 9), whole(1, 9)] as const;
      const density = [0, 0.02, 0.1, 0.5, 0.9, 1][whole(0, 5)]!;
      const weight = sparseWeight(coding, seed, shape, gates, { block, density });
      const bytes = writeGatefold(denseModel(weight));
      const again = readGatefold(bytes).weights.kernel!;
      expect(again.sparsity).toEqual(weight.sparsity);
      expect(decode(again).map((v) => v + 0)).toEqual(decode(weight).map((v) => v + 0));
      expect(writeGatefold(denseModel(again))).toEqual(bytes);
    }
  });

  it('stores what it keeps and little more', () => {
    const weight = sparseWeight('int8', 1, [256, 64], 4, { block: [8, 4], density: 0.1 });
    const kept = keptWeights(weight)!.reduce((sum, bit) => sum + bit, 0);
    const { entries } = takeApart(writeGatefold(denseModel(weight)));
    expect(entries['kernel.codes']!.shape).toEqual([kept]);
    // 512 blocks: 64 bytes as a bitmap; as gaps some 51 symbols of four bits.
    expect(entries['kernel.kept']!.shape[0]).toBeLessThan(40);
    const index = entries['kernel.kept']!.shape[0]!;
    expect(storedBytes(weight)).toBe(kept + index + 4 * 256);
    expect(bitsPerWeight(weight)).toBeCloseTo((8 * (kept + index)) / (256 * 64), 10);
    const { sparsity: _, ...plain } = weight;
    expect(bitsPerWeight(plain)).toBe(8);
    expect(storedBytes(plain)).toBe(256 * 64 + 4 * 256);
  });

  it('takes the smaller of bitmap and gaps', () => {
    const form = (density: number) => {
      const weight = sparseWeight('int8', 5, [64, 64], 1, { block: [1, 1], density });
      const { graph } = takeApart(writeGatefold(denseModel(weight)));
      return (graph.weights as Json & { kernel: { sparsity: Json } }).kernel.sparsity.index;
    };
    expect([0.001, 0.01, 0.05, 0.5, 1].map(form)).toEqual(['gaps', 'gaps', 'gaps', 'bitmap', 'bitmap']);
  });
});

describe('sparsity that is not true', () => {
  const good = sparseWeight('int8', 3, [32, 12], 2, { block: [8, 4], density: 0.5 });
  const sparsity = good.sparsity!;
  const cases: [string, Weight][] = [
    ['removed weights that are not zero', { ...good, sparsity: { ...sparsity, kept: sparsity.kept.map(() => 0) } }],
    ['too few blocks', { ...good, sparsity: { ...sparsity, kept: sparsity.kept.slice(1) } }],
    [
      'a block that is neither kept nor removed',
      { ...good, sparsity: { ...sparsity, kept: sparsity.kept.map(() => 2) } },
    ],
    ['gates that do not divide the rows', { ...good, sparsity: { ...sparsity, gateRows: 5 } }],
    ['blocks of no rows', { ...good, sparsity: { ...sparsity, block: [0, 4] } }],
    [
      'codes with an offset',
      { ...good, encoding: { ...good.encoding, offsets: new Float32Array(32) } as Weight['encoding'] },
    ],
  ];

  it.each(cases)('%s', (_, weight) => {
    const refused = expect.objectContaining({ code: 'MODEL_INVALID' });
    expect(() => validate(denseModel(weight))).toThrow(refused);
    expect(() => writeGatefold(denseModel(weight))).toThrow(refused);
  });

  it('a matrix far larger than its file is neither written nor read', () => {
    const shape = [4200, 4100];
    const values = new Float32Array(shape[0]! * shape[1]!);
    const empty: Weight = {
      ...denseWeight(shape, values),
      sparsity: { block: [4200, 4100], gateRows: 4200, kept: Uint8Array.of(0) },
    };
    const large = expect.objectContaining({ code: 'FILE_TOO_LARGE' });
    expect(() => writeGatefold(denseModel(empty))).toThrow(large);
    const small = takeApart(
      writeGatefold(denseModel(sparseWeight('f32', 1, [8, 4], 1, { block: [8, 4], density: 0 }))),
    );
    const claim = edited(small.graph, {
      'weights>kernel>shape': [2 ** 15, 2 ** 15],
      'weights>kernel>sparsity>gateRows': 2 ** 15,
      'weights>kernel>sparsity>block': [2 ** 15, 2 ** 15],
    });
    expect(() => readGatefold(putTogether({ entries: { ...small.entries }, graph: claim, data: small.data }))).toThrow(
      large,
    );
  });
});

describe('a forged sparse container', () => {
  // 3 rows of blocks by 5, cut at both edges; two gates.
  const file = (density: number, coding = 'int8') =>
    takeApart(writeGatefold(denseModel(sparseWeight(coding, 9, [38, 18], 2, { block: [8, 4], density }))));
  const bitmap = file(0.5);
  const gaps = file(0.12);
  const table = file(0.5, 'log4');
  const at = 'weights>kernel>sparsity';
  const graph = (edits: Json, parts = bitmap) =>
    putTogether({ entries: { ...parts.entries }, graph: edited(parts.graph, edits), data: parts.data });

  it('begins as a good one', () => {
    const form = (parts: typeof bitmap) => (parts.graph.weights as { kernel: { sparsity: Json } }).kernel.sparsity;
    expect([form(bitmap).index, form(gaps).index]).toEqual(['bitmap', 'gaps']);
    for (const parts of [bitmap, gaps, table]) expect(readGatefold(graph({}, parts)).name).toBe('dense');
  });

  const cases: [what: string, code: ErrorCode, bytes: () => Uint8Array][] = [
    ['sparsity that is null', 'FILE_CORRUPT', () => graph({ [at]: null })],
    ['sparsity that is a list', 'FILE_CORRUPT', () => graph({ [at]: [] })],
    ['no sparsity, though a list of blocks', 'FILE_CORRUPT', () => graph({ [at]: undefined })],
    ['an unknown index', 'FILE_CORRUPT', () => graph({ [`${at}>index`]: 'runs' })],
    ['a block that is a number', 'FILE_CORRUPT', () => graph({ [`${at}>block`]: 8 })],
    ['a block of three numbers', 'FILE_CORRUPT', () => graph({ [`${at}>block`]: [8, 4, 1] })],
    ['a block of no rows', 'FILE_CORRUPT', () => graph({ [`${at}>block`]: [0, 4] })],
    ['a block of 2^60 rows', 'FILE_CORRUPT', () => graph({ [`${at}>block`]: [2 ** 60, 4] })],
    ['a block of half a column', 'FILE_CORRUPT', () => graph({ [`${at}>block`]: [8, 0.5] })],
    ['other blocks than were written', 'FILE_CORRUPT', () => graph({ [`${at}>block`]: [4, 4] })],
    ['gates of no rows', 'FILE_CORRUPT', () => graph({ [`${at}>gateRows`]: 0 })],
    ['gates that do not divide the rows', 'MODEL_INVALID', () => graph({ [`${at}>gateRows`]: 5 })],
    ['a diagonal that is a number', 'FILE_CORRUPT', () => graph({ [`${at}>diagonal`]: 1 })],
    ['a diagonal that was not stored', 'FILE_CORRUPT', () => graph({ [`${at}>diagonal`]: true }, gaps)],
    ['gaps of no bits', 'FILE_CORRUPT', () => graph({ [`${at}>width`]: 0 }, gaps)],
    ['gaps of 17 bits', 'FILE_CORRUPT', () => graph({ [`${at}>width`]: 17 }, gaps)],
    ['gaps without a width', 'FILE_CORRUPT', () => graph({ [`${at}>width`]: undefined }, gaps)],
    ['more gaps than blocks', 'FILE_CORRUPT', () => graph({ [`${at}>symbols`]: 1000 }, gaps)],
    ['fewer gaps than stored', 'FILE_CORRUPT', () => graph({ [`${at}>symbols`]: 0 }, gaps)],
    ['gaps beyond the matrix', 'FILE_CORRUPT', () => withTensor(gaps, 'kernel.kept', (bytes) => bytes.fill(0xff))],
    ['bits after the bitmap', 'FILE_CORRUPT', () => withTensor(bitmap, 'kernel.kept', (bytes) => (bytes[3]! |= 0x80))],
    ['one block more than has codes', 'FILE_CORRUPT', () => withTensor(bitmap, 'kernel.kept', addBlock)],
    [
      'one block less than has codes',
      'FILE_CORRUPT',
      () => withTensor(bitmap, 'kernel.kept', (bytes) => (bytes[0] = 0)),
    ],
    ['removed weights without a level that is 0', 'FILE_CORRUPT', () => withTensor(table, 'kernel.levels', noZero)],
    ['codes with an offset', 'FILE_CORRUPT', () => graph({ 'weights>kernel>offsets': true })],
  ];

  it.each(cases)('%s: %s', (_, code, make) => {
    try {
      readGatefold(make());
    } catch (error) {
      expect(error).toBeInstanceOf(GatefoldError);
      expect((error as GatefoldError).code).toBe(code);
      return;
    }
    throw new Error('the file was accepted');
  });
});

/** Keeps the first block that was removed. */
function addBlock(bytes: Uint8Array): void {
  const at = bytes.findIndex((byte) => byte !== 0xff);
  bytes[at]! |= bytes[at]! + 1;
}

function noZero(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += 4) if (view.getFloat32(at, true) === 0) view.setFloat32(at, 5, true);
}
