import { readFileSync } from 'node:fs';
import { createSession, decode, type Model, type Session, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';

const corpus = process.env.GATEFOLD_CORPUS!;
const read = async (path: string): Promise<Model> =>
  (await readModel(new Uint8Array(readFileSync(`${corpus}/models/${path}`)))).model;
const cellsOf = (model: Model) => model.graphs.main!.nodes.map(({ op, attributes }) => attributes.cell ?? op).join(' ');

// That outputs equal the interpreter's is shown by `npm run test:interop`, which asks LiteRT.
const readable: [string, { structure: string; streams: boolean }][] = [
  ['tflite-micro/mnist_lstm/trained_lstm.tflite', { structure: 'lstm reshape dense softmax', streams: false }],
  ['tflite-micro/mnist_lstm/trained_lstm_int8.tflite', { structure: 'lstm reshape dense softmax', streams: false }],
  ['tflite-micro/dtln/dtln_noise_suppression.tflite', { structure: 'lstm lstm dense unary', streams: true }],
  [
    'tflite-micro/micro_speech_lstm/micro_speech_lstm.tflite',
    { structure: 'lstm reshape dense softmax', streams: false },
  ],
  ['dtln/model_1.tflite', { structure: 'lstm lstm dense unary', streams: true }],
  ['dtln/model_quant_1.tflite', { structure: 'lstm lstm dense unary', streams: true }],
  ...['dtln/model_2.tflite', 'dtln/model_quant_2.tflite'].map(
    (path): [string, { structure: string; streams: boolean }] => [
      path,
      {
        structure: 'dense normalization scaleShift scaleShift lstm lstm dense unary binary dense',
        streams: true,
      },
    ],
  ),
];

it.each(readable)('%s is read', async (path, { structure, streams }) => {
  const model = await read(path);
  expect(cellsOf(model)).toBe(structure);
  expect(createSession(model, { engine: simd128Engine }).streams).toBe(streams);
});

function largestDifference(a: Session, b: Session): number {
  let worst = 0;
  for (let n = 0; n < 20; n++) {
    const x = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * 1.7 + n) * 2);
    const [p, q] = [a, b].map(
      (session) => session.run({ [session.inputs[0]!.name]: x })[session.outputs[0]!.name]!.data,
    );
    p!.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - q![i]!));
    });
  }
  return worst;
}

it.each(['RNN2_300ms', 'RNN2_90ms', 'RNN2_300ms_2state'])(
  'emg-cdt406/%s: as the Keras file beside it',
  async (name) => {
    const [a, b] = await Promise.all([read(`emg-cdt406/${name}.tflite`), read(`emg-cdt406/${name}.keras`)]);
    expect(cellsOf(a)).toBe('reshape lstm last dense unary dense softmax');
    const sorted = (model: Model) =>
      Object.values(model.weights)
        .flatMap((weight) => [...decode(weight)])
        .sort((p, q) => p - q);
    expect(sorted(a)).toEqual(sorted(b));
    const sessions = [a, b].map((model) => createSession(model, { engine: simd128Engine }));
    expect(largestDifference(sessions[0]!, sessions[1]!)).toBeLessThan(1e-6);
  },
);

describe('dtln, quantized', () => {
  it.each([1, 2])('model_quant_%i holds the weights of the float file within half a step', async (n) => {
    const [a, b] = await Promise.all([read(`dtln/model_${n}.tflite`), read(`dtln/model_quant_${n}.tflite`)]);
    for (const [name, weight] of Object.entries(b.weights)) {
      const { encoding } = weight;
      const float = decode(a.weights[name]!);
      if (encoding.kind !== 'affine') continue;
      const step = Math.max(...encoding.scales);
      const worst = decode(weight).reduce((most, value, i) => Math.max(most, Math.abs(value - float[i]!)), 0);
      expect(worst).toBeLessThanOrEqual(0.5001 * step);
    }
  });
});
