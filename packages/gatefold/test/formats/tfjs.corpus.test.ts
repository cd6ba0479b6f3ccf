import { createSession, simd128Engine } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { loadModel } from '../../src/node/load.ts';

const models = `${process.env.GATEFOLD_CORPUS}/models`;

/** What TensorFlow.js 4.22 gives for steps of one letter each, (7·step + 3) mod 57: the likeliest letters. */
const likeliest: [number, number][] = [
  [31, 0.5127357840538025],
  [27, 0.12594307959079742],
  [38, 0.07823877036571503],
  [28, 0.06941241770982742],
  [35, 0.04339279606938362],
  [51, 0.02811177633702755],
  [42, 0.02710215374827385],
  [7, 0.020670801401138306],
];

it('a model of 2018 in two groups of weights gives the numbers of TensorFlow.js', async () => {
  const { model, bytes } = await loadModel(`${models}/tfjs-reiinakano/lstm/model.json`);
  expect(bytes).toBe(2337 + 29_412 + 380_928);
  const session = createSession(model, { engine: simd128Engine });
  const x = new Float32Array(40 * 57);
  for (let step = 0; step < 40; step++) x[step * 57 + ((7 * step + 3) % 57)] = 1;
  const { data } = Object.values(session.run({ [session.inputs[0]!.name]: x }))[0]!;
  const found = [...data].map((p, letter) => [letter, p] as const).sort((a, b) => b[1] - a[1]);
  likeliest.forEach(([letter, p], i) => {
    expect(found[i]![0]).toBe(letter);
    expect(Math.abs(found[i]![1] - p)).toBeLessThan(1e-5);
  });
});
