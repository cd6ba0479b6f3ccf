import { createSession, type ErrorCode, GatefoldError, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import type { Loose as Json } from '../support/loose.ts';
import { expectNear } from './compare.ts';

const cell = 'rnnlm/multi_rnn_cell/cell_0/basic_lstm_cell';
/** One cell of one unit over an embedding of two characters in one number. */
const manifest = (): Json => ({
  Variable: { filename: 'Variable', shape: [] },
  embedding: { filename: 'embedding', shape: [2, 1] },
  [`${cell}/bias`]: { filename: 'b', shape: [4] },
  [`${cell}/kernel`]: { filename: 'k', shape: [2, 4] },
  'rnnlm/softmax_b': { filename: 'sb', shape: [2] },
  'rnnlm/softmax_w': { filename: 'sw', shape: [1, 2] },
});
const files = (): Record<string, Uint8Array> => ({
  Variable: floats(0),
  embedding: floats(1, -1),
  b: floats(0.1, 0.2, 0.3, 0.4),
  k: floats(1, 2, 3, 4, 0.5, 0.6, 0.7, 0.8),
  sb: floats(0, 1),
  sw: floats(2, -2),
  'vocab.json': new TextEncoder().encode('{"b": 1, "a": 0}'),
});

function floats(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

async function read(change: (json: Json, beside: Record<string, Uint8Array>) => void = () => {}) {
  const json = manifest();
  const stored = files();
  change(json, stored);
  const beside = async (path: string) => {
    const found = stored[path];
    if (!found) throw new GatefoldError('FILE_READ', `no ${path}`);
    return found;
  };
  return (await readModel(new TextEncoder().encode(JSON.stringify(json)), { beside })).model;
}

it('computes a cell with one added to its forget gate', async () => {
  const model = await read();
  expect(model.metadata.vocabulary).toEqual(['a', 'b']);
  const { probabilities } = createSession(model, { engine: simd128Engine }).run({ ids: [0, 1] });
  const σ = (x: number) => 1 / (1 + Math.exp(-x));
  const expected: number[] = [];
  let [c, h] = [0, 0];
  for (const x of [1, -1]) {
    const [i, j, f, o] = [1, 2, 3, 4].map((w, k) => w * x + (0.5 + k / 10) * h + (k + 1) / 10) as [
      number,
      number,
      number,
      number,
    ];
    c = c * σ(f + 1) + σ(i) * Math.tanh(j);
    h = Math.tanh(c) * σ(o);
    const [a, b] = [Math.exp(2 * h), Math.exp(1 - 2 * h)];
    expected.push(a / (a + b), b / (a + b));
  }
  expectNear(probabilities!.data, expected, 1e-6, 'probabilities');
});

it('reads a model without its vocabulary', async () => {
  expect((await read((_, beside) => delete beside['vocab.json'])).metadata).toEqual({});
});

describe('refuses', () => {
  it.each<[string, (json: Json, beside: Record<string, Uint8Array>) => void, ErrorCode, RegExp]>([
    ['short files', (_, beside) => Object.assign(beside, { k: floats(1) }), 'FILE_TRUNCATED', /32 bytes[\s\S]*4 bytes/],
    ['long files', (_, beside) => Object.assign(beside, { sb: floats(1, 2, 3) }), 'FILE_UNUSED', /sb/],
    ['missing arrays', (json) => delete json.embedding, 'FILE_CORRUPT', /embedding/],
    ['other arrays', (json) => Object.assign(json, { other: json.embedding }), 'FILE_UNUSED', /other/],
    [
      'other shapes',
      (json) => Object.assign(json[`${cell}/kernel`], { shape: [4, 2] }),
      'MODEL_SHAPE',
      /cell_0\/kernel/,
    ],
    ['no shapes', (json) => Object.assign(json.embedding, { shape: [2, null] }), 'FILE_CORRUPT', /embedding/],
    [
      'vocabularies of other sizes',
      (_, beside) => Object.assign(beside, { 'vocab.json': new TextEncoder().encode('{"b": 1}') }),
      'FILE_CORRUPT',
      /vocab.json/,
    ],
  ])('%s', async (_, change, code, message) => {
    await expect(read(change)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
