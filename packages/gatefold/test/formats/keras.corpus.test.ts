import { readFileSync } from 'node:fs';
import { createSession, denseWeight, type Model, simd128Engine, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { quantize } from '../../src/compress/index.ts';
import { readModel } from '../../src/formats/index.ts';

const corpus = process.env.GATEFOLD_CORPUS!;
const bytesOf = (path: string) => new Uint8Array(readFileSync(`${corpus}/models/${path}`));

// That outputs equal Keras on these files is shown by `npm run test:interop`, which asks the real Keras.
const readable: [string, { parameters: number; streams: boolean }][] = [
  ['keras2c/model.h5', { parameters: 4990, streams: true }],
  ['guitarlstm/ts9_model.h5', { parameters: 10_965, streams: false }],
  ['hungarian-charlm/bilstm_model_64.h5', { parameters: 89_841, streams: false }],
  ['emg-cdt406/RNN2_300ms.keras', { parameters: 2020, streams: false }],
  ['emg-cdt406/RNN2_90ms.keras', { parameters: 2020, streams: false }],
  ['emg-cdt406/RNN2_300ms_2state.keras', { parameters: 1954, streams: false }],
];

describe.each(readable)('%s', (path, { parameters, streams }) => {
  it('is read with the published number of parameters, runs, and quantizes to int8 near it', async () => {
    const { model } = await readModel(bytesOf(path));
    const count = Object.values(model.weights).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count).toBe(parameters);
    const session = createSession(model, { engine: simd128Engine });
    expect(session.streams).toBe(streams);
    const inputs = Object.fromEntries(
      session.inputs.map((port) => {
        const dims = port.shape.map((dim) => (typeof dim === 'number' ? dim : 1)) as number[];
        return [port.name, Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7))];
      }),
    );
    const float = session.run(inputs);
    const int8 = createSession(quantize(model, { bits: 8 }).model).run(inputs);
    for (const [name, { data }] of Object.entries(float)) {
      const scale = Math.max(1e-3, ...data.map(Math.abs));
      data.forEach((value, i) => {
        expect(Number.isFinite(value)).toBe(true);
        expect(Math.abs(int8[name]!.data[i]! - value) / scale).toBeLessThan(0.3);
      });
    }
  });
});

const refused: [string, string][] = [
  ['textgenrnn/textgenrnn_weights.hdf5', 'MODEL_NO_ARCHITECTURE'],
  ['textgenrnn/hacker_news.hdf5', 'MODEL_NO_ARCHITECTURE'],
  ['dtln/model.h5', 'MODEL_NO_ARCHITECTURE'],
];

it.each(refused)('%s is refused: %s', async (path, code) => {
  await expect(readModel(bytesOf(path))).rejects.toMatchObject({ code });
});

/** keras-js: one layer per entry, inputs, weights and outputs as Keras 2 computed them. */
interface Stored {
  readonly data: number[];
  readonly shape: number[];
}
interface KerasJsFixture {
  readonly input: Stored;
  readonly weights: readonly Stored[];
  readonly expected: Stored;
}

/** Options of fixtures 0 … 8, the same for all three layers: direction, activations, calls of a stateful layer. */
const kerasJsOptions = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => ({
  backward: [3, 4, 7, 8].includes(i),
  calls: i >= 5 ? 2 : 1,
  activation: i === 1 ? 'sigmoid' : 'tanh',
  recurrentActivation: i === 1 ? ['sigmoid'] : ['hardSigmoid', 0.2, 0.5],
}));

const layers = [
  { layer: 'LSTM', cell: 'lstm', order: [0, 1, 3, 2] },
  { layer: 'GRU', cell: 'gru', order: [0, 1, 2] },
  { layer: 'SimpleRNN', cell: 'rnn', order: [0] },
];

/** Keras' [inputs, gates·units] as our [gates·units, inputs]; a bias is a matrix of one input. */
function reordered({ data, shape }: Stored, order: readonly number[], units: number): Weight {
  const [inputs, columns] = shape.length === 2 ? (shape as [number, number]) : [1, shape[0]!];
  const out = new Float32Array(data.length);
  order.forEach((from, gate) => {
    for (let u = 0; u < units; u++) {
      for (let i = 0; i < inputs; i++) out[(gate * units + u) * inputs + i] = data[i * columns + from * units + u]!;
    }
  });
  return denseWeight(shape.length === 2 ? [columns, inputs] : [columns], out);
}

describe.each(layers)('keras-js fixtures of $layer', ({ layer, cell, order }) => {
  const path = `${corpus}/models/keras-js-fixtures/${layer}.json`;
  const cases = JSON.parse(readFileSync(path, 'utf8')) as Record<string, KerasJsFixture>;

  it.each(kerasJsOptions.map((options, i) => ({ i, ...options })))(
    '$i',
    ({ i, backward, calls, activation, recurrentActivation }) => {
      const {
        input,
        weights: [W, U, b],
        expected,
      } = cases[`recurrent.${layer}.${i}`]!;
      const units = U!.shape[0]!;
      const sequences = expected.shape.length === 2;
      const weights = {
        W: reordered(W!, order, units),
        U: reordered(U!, order, units),
        ...(b ? { b: reordered(b, order, units) } : {}),
      };
      const attributes = {
        cell,
        units,
        activation: [activation],
        ...(cell === 'rnn' ? {} : { recurrentActivation }),
        ...(backward ? { direction: 'backward' } : {}),
        stateful: true,
      };
      const node = {
        name: 'layer',
        op: 'recurrent',
        inputs: { x: 'x' },
        outputs: { y: 'y', h: 'h' },
        attributes,
        weights: Object.fromEntries(Object.keys(weights).map((role) => [role, role])),
      };
      // Running backward, Keras gives the steps in the order they were processed.
      const flip = {
        name: 'flip',
        op: 'reverse',
        inputs: { x: 'y' },
        outputs: { y: 'flipped' },
        attributes: {},
        weights: {},
      };
      const model: Model = {
        name: layer,
        metadata: {},
        weights,
        graphs: {
          main: {
            inputs: [{ name: 'x', shape: ['batch', 'time', input.shape[1]!], dtype: 'float32' }],
            outputs: [{ name: 'out', value: !sequences ? 'h' : backward ? 'flipped' : 'y' }],
            nodes: sequences && backward ? [node, flip] : [node],
            states: [],
          },
        },
      };
      const session = createSession(model, { engine: simd128Engine });
      const streams = [session.stream()];
      let out = new Float32Array();
      for (let call = 0; call < calls; call++)
        out = session.run(input.data, { streams }).out!.data as Float32Array<ArrayBuffer>;
      expect(out.length).toBe(expected.data.length);
      // The vectors are printed with six decimals.
      expected.data.forEach((value, k) => {
        expect(Math.abs(out[k]! - value)).toBeLessThan(1e-5);
      });
    },
  );
});
