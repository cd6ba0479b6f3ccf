import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GatefoldError } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { mutate, randomSource } from '../../../../scripts/lib/mutate.mjs';
import { readModel } from '../../src/formats/index.ts';
import { data, floats, int, ints, table, tables, text, writeFlat } from '../../src/formats/tflite/write/flat-writer.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/tflite/', import.meta.url));
const seeds = readdirSync(folder)
  .filter((file) => file.endsWith('.tflite'))
  .map((file) => new Uint8Array(readFileSync(folder + file)))
  .filter((bytes) => bytes.length < 30_000);

/** A file of one graph over tensors and operators given as flatbuffer tables. */
interface Parts {
  readonly version?: number;
  readonly codes?: readonly number[];
  readonly tensors?: readonly ReturnType<typeof table>[];
  readonly operators?: readonly ReturnType<typeof table>[];
  readonly graphs?: number;
}

const tensor = (name: string, shape: readonly number[], more: Parameters<typeof table>[0] = {}) =>
  table({ 0: ints(shape), 2: int(0), 3: text(name), ...more });
const operator = (inputs: readonly number[], outputs: readonly number[], more: Parameters<typeof table>[0] = {}) =>
  table({ 0: int(0), 1: ints(inputs), 2: ints(outputs), ...more });

function forge({ version = 3, codes = [14], tensors, operators, graphs = 1 }: Parts): Uint8Array {
  const graph = table({
    0: tables(tensors ?? [tensor('x', [1, 3]), tensor('y', [1, 3])]),
    1: ints([0]),
    2: ints([1]),
    3: tables(operators ?? [operator([0], [1])]),
  });
  const root = table({
    0: int(version),
    1: tables(codes.map((code) => table({ 3: int(code) }))),
    2: tables(Array.from({ length: graphs }, () => graph)),
    4: tables([table({}), table({ 0: data(new Uint8Array(12)) })]),
  });
  return writeFlat(root, 'TFL3');
}

const cases: readonly (readonly [string, Parts, string, RegExp])[] = [
  ['another schema', { version: 4 }, 'FILE_VERSION', /4/],
  ['no graph', { graphs: 0 }, 'MODEL_INVALID', /no graph/],
  ['several graphs', { graphs: 2 }, 'MODEL_UNSUPPORTED', /one signature/],
  ['an unknown operator', { codes: [55] }, 'MODEL_UNSUPPORTED', /MAXIMUM|input 1/],
  ['an operator without meaning', { codes: [56] }, 'MODEL_UNSUPPORTED', /ARG_MAX/],
  ['an operator that is not in the schema', { codes: [9999] }, 'MODEL_UNSUPPORTED', /operator 9999/],
  ['an operator without code', { codes: [] }, 'FILE_CORRUPT', /no code/],
  ['a tensor that does not exist', { operators: [operator([7], [1])] }, 'FILE_CORRUPT', /does not exist/],
  ['a tensor that nothing makes', { operators: [operator([1], [1])] }, 'FILE_CORRUPT', /no operator makes/],
  ['a batch', { tensors: [tensor('x', [4, 3]), tensor('y', [4, 3])] }, 'MODEL_UNSUPPORTED', /batch size 1/],
  ['an endless dimension', { tensors: [tensor('x', [1, 2 ** 30]), tensor('y', [1])] }, 'FILE_CORRUPT', /shape/],
  [
    'a sparse tensor',
    { tensors: [tensor('x', [1, 3], { 6: table({}) }), tensor('y', [1])] },
    'MODEL_UNSUPPORTED',
    /sparse/,
  ],
  [
    'an unknown type',
    { tensors: [tensor('x', [1, 3], { 1: { kind: 'byte', value: 99 } }), tensor('y', [1])] },
    'MODEL_UNSUPPORTED',
    /type 99/,
  ],
  [
    'a tensor that no operator uses',
    { tensors: [tensor('x', [1, 3]), tensor('y', [1, 3]), tensor('left', [3], { 2: int(1) })] },
    'FILE_UNUSED',
    /left/,
  ],
  [
    'a buffer of another size',
    {
      tensors: [tensor('x', [1, 3]), tensor('y', [1, 3]), tensor('c', [5], { 2: int(1) })],
      operators: [operator([0, 2], [1])],
      codes: [0],
    },
    'FILE_CORRUPT',
    /20 bytes/,
  ],
  [
    'scales that do not fit',
    { tensors: [tensor('x', [1, 3], { 4: table({ 2: floats([1, 2]) }) }), tensor('y', [1, 3])] },
    'FILE_CORRUPT',
    /scales/,
  ],
  [
    'options of another operator',
    { operators: [operator([0], [1], { 3: { kind: 'byte', value: 9 }, 4: table({}) })], codes: [0] },
    'FILE_CORRUPT',
    /options of another/,
  ],
];

describe('refused', () => {
  it.each(cases)('%s', async (_, parts, code, message) => {
    const error = await readModel(forge(parts)).catch((caught: Error) => caught);
    expect(error).toBeInstanceOf(GatefoldError);
    expect(error).toMatchObject({ code });
    expect(String(error)).toMatch(message);
  });

  it('every file that ends early', async () => {
    const bytes = forge({});
    for (let length = 8; length < bytes.length - 16; length++) {
      await expect(readModel(bytes.slice(0, length))).rejects.toBeInstanceOf(GatefoldError);
    }
  });
});

it('mutants are read or refused with a code, in bounded time', async () => {
  for (let i = 0; i < 400; i++) {
    const random = randomSource(7_000_003 + i);
    const bytes = mutate(seeds[i % seeds.length]!, seeds, random);
    const start = performance.now();
    await readModel(bytes).catch((error: unknown) => {
      if (!(error instanceof GatefoldError)) throw new Error(`mutant ${i}: ${String((error as Error).stack)}`);
    });
    expect(performance.now() - start, `mutant ${i}`).toBeLessThan(2000);
  }
});
