import { readFileSync } from 'node:fs';
import { createSession, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import { expectNear } from './compare.ts';

const folder = `${process.env.GATEFOLD_CORPUS}/models/rtneural/`;
const bytesOf = (name: string) => new Uint8Array(readFileSync(`${folder}models/${name}.json`));
const column = (name: string) => readFileSync(`${folder}test_data/${name}.csv`, 'utf8').trim().split('\n').map(Number);

describe('RTNeural models give the numbers of Keras and PyTorch', () => {
  it.each(['gru', 'gru_1d', 'lstm', 'lstm_1d', 'gru_torch', 'lstm_torch'])('%s', async (name) => {
    const { model } = await readModel(bytesOf(name));
    const session = createSession(model, { engine: simd128Engine });
    const { y } = session.run({ x: Float32Array.from(column(`${name}_x_python`)) });
    expectNear(y!.data, column(`${name}_y_python`), 1e-5, name);
    expect(session.streams).toBe(true);
  });
});

it('reads a model of every layer', async () => {
  const { model } = await readModel(bytesOf('full_model'));
  expect(Object.values(model.graphs.main!.nodes).map(({ op }) => op)).toEqual([
    'dense',
    'unary',
    'conv1d',
    'unary',
    'recurrent',
    'dense',
  ]);
  expect(createSession(model).streams).toBe(true);
});

it('refuses a model whose weights are not of its shape', async () => {
  await expect(readModel(bytesOf('bad_lstm'))).rejects.toMatchObject({
    code: 'MODEL_SHAPE',
    message: expect.stringMatching(/0-lstm\/W[\s\S]*\[1, 64\][\s\S]*\[1, 80\]/),
  });
});
