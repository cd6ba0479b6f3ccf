import { readFileSync } from 'node:fs';
import { createSession, simd128Engine } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { loadModel } from '../../src/node/load.ts';
import { expectNear } from './compare.ts';

const folder = `${process.env.GATEFOLD_CORPUS}/models/ml5-charrnn/charlotte_bronte/`;

function floats(name: string): number[] {
  const bytes = readFileSync(folder + name);
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

/** [rows, columns]ᵀ·x + b in float64. */
function affine(kernel: number[], x: number[], b: number[]): number[] {
  return b.map((bias, column) => x.reduce((sum, value, row) => sum + value * kernel[row * b.length + column]!, bias));
}

/** TensorFlow's BasicLSTMCell as its documentation states it: gates i, j, f, o; the forget gate gets 1. */
function basicLstmCell(
  kernel: number[],
  bias: number[],
  x: number[],
  [c, h]: [number[], number[]],
): [number[], number[]] {
  const units = h.length;
  const z = affine(kernel, [...x, ...h], bias);
  const σ = (value: number) => 1 / (1 + Math.exp(-value));
  const gate = (k: number, u: number) => z[k * units + u]!;
  const next = c.map((old, u) => old * σ(gate(2, u) + 1) + σ(gate(0, u)) * Math.tanh(gate(1, u)));
  return [next, next.map((value, u) => Math.tanh(value) * σ(gate(3, u)))];
}

it('a charRNN gives the probabilities of its equations', async () => {
  const { model } = await loadModel(`${folder}manifest.json`);
  const vocabulary = model.metadata.vocabulary as string[];
  const text = 'There was no possibility of taking a walk that day.';
  const ids = [...text].map((character) => vocabulary.indexOf(character));
  expect(Math.min(...ids)).toBeGreaterThanOrEqual(0);
  const { probabilities } = createSession(model, { engine: simd128Engine }).run({ ids: Float32Array.from(ids) });

  const embedding = floats('embedding');
  const cells = [0, 1].map((i) =>
    ['kernel', 'bias'].map((role) => floats(`rnnlm_multi_rnn_cell_cell_${i}_basic_lstm_cell_${role}`)),
  );
  const states = cells.map((): [number[], number[]] => [new Array(128).fill(0), new Array(128).fill(0)]);
  const [softmaxW, softmaxB] = [floats('rnnlm_softmax_w'), floats('rnnlm_softmax_b')];
  const expected = ids.flatMap((id) => {
    let x = embedding.slice(id * 128, (id + 1) * 128);
    cells.forEach(([kernel, bias], i) => {
      states[i] = basicLstmCell(kernel!, bias!, x, states[i]!);
      x = states[i]![1];
    });
    const powers = affine(softmaxW, x, softmaxB).map(Math.exp);
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  });
  expectNear(probabilities!.data, expected, 1e-5, 'probabilities');

  // That the gates are in their places shows in what it knows of English.
  const found = ids.slice(1).filter((id, step) => {
    const row = [...probabilities!.data.subarray(step * 108, (step + 1) * 108)];
    return row.filter((p) => p > row[id]!).length < 5;
  });
  expect(found.length / (ids.length - 1)).toBeGreaterThan(0.6);
});
