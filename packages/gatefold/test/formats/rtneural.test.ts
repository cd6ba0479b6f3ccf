import { createSession, type ErrorCode, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel, writerFor } from '../../src/formats/index.ts';
import type { Loose as Json } from '../support/loose.ts';
import { expectNear } from './compare.ts';

const bytesOf = (json: Json) => new TextEncoder().encode(JSON.stringify(json));
const read = async (json: Json) => (await readModel(bytesOf(json))).model;
const run = async (json: Json, x: number[]) => [
  ...createSession(await read(json), { engine: simd128Engine }).run({ x: Float32Array.from(x) }).y!.data,
];

/** Numbers that look random, the same every time. */
function numbers(seed: number, ...shape: number[]): Json {
  let n = seed;
  const make = (depth: number): Json =>
    depth === shape.length
      ? Math.fround(Math.sin(++n * 12.9898) * 0.8)
      : Array.from({ length: shape[depth]! }, () => make(depth + 1));
  return make(0);
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const σ = (x: number) => 1 / (1 + Math.exp(-x));

/** nn.LSTM of one layer as PyTorch's documentation states it, in float64. */
function torchLstm(state: Json, prefix: string, xs: number[][]): number[][] {
  const [W, U] = [state[`${prefix}weight_ih_l0`], state[`${prefix}weight_hh_l0`]];
  const [bi, bh] = [state[`${prefix}bias_ih_l0`], state[`${prefix}bias_hh_l0`]];
  const units = U[0].length;
  let [h, c] = [new Array(units).fill(0), new Array(units).fill(0)];
  return xs.map((x) => {
    const z = W.map((row: number[], k: number) => dot(row, x) + dot(U[k], h) + bi[k] + bh[k]);
    c = c.map((old, u) => σ(z[units + u]) * old + σ(z[u]) * Math.tanh(z[2 * units + u]));
    h = c.map((value, u) => σ(z[3 * units + u]) * Math.tanh(value));
    return h;
  });
}

const lstmState = (features: number, units: number) => ({
  'rec.weight_ih_l0': numbers(1, 4 * units, features),
  'rec.weight_hh_l0': numbers(200, 4 * units, units),
  'rec.bias_ih_l0': numbers(400, 4 * units),
  'rec.bias_hh_l0': numbers(500, 4 * units),
  'lin.weight': numbers(600, 1, units),
  'lin.bias': numbers(700, 1),
});

const guitarMl = () => ({
  model_data: {
    model: 'SimpleRNN',
    input_size: 1,
    skip: 1,
    output_size: 1,
    unit_type: 'LSTM',
    num_layers: 1,
    hidden_size: 5,
    bias_fl: true,
  },
  state_dict: lstmState(1, 5),
});

const xs = [0.3, -0.8, 0.5, 0.9, -0.2, 0];

const lstmLayer = { type: 'lstm', activation: 'tanh', shape: [null, null, 4] };
const chain = (): Json => ({
  in_shape: [null, null, 1],
  layers: [
    { ...lstmLayer, weights: [numbers(1, 1, 16), numbers(50, 4, 16), numbers(150, 16)] },
    { type: 'dense', activation: '', shape: [null, null, 1], weights: [numbers(170, 4, 1), numbers(180, 1)] },
  ],
});

describe('GuitarML', () => {
  it('adds what was skipped to the output of PyTorch', async () => {
    const file = guitarMl();
    const hidden = torchLstm(
      file.state_dict,
      'rec.',
      xs.map((x) => [x]),
    );
    const expected = hidden.map(
      (h, i) => dot(file.state_dict['lin.weight'][0], h) + file.state_dict['lin.bias'][0] + xs[i]!,
    );
    expectNear(await run(file, xs), expected, 1e-5, 'y');
  });

  it('leaves the input out where nothing is skipped', async () => {
    const file = guitarMl();
    const skipped = await run(file, xs);
    file.model_data.skip = 0;
    expectNear(
      await run(file, xs),
      skipped.map((y, i) => y - xs[i]!),
      1e-6,
      'y',
    );
  });

  it('takes the first of several inputs', async () => {
    const file = { ...guitarMl(), state_dict: lstmState(2, 5) };
    file.model_data.input_size = 2;
    const pairs = xs.map((x, i) => [x, i / 7]);
    const hidden = torchLstm(file.state_dict, 'rec.', pairs);
    const expected = hidden.map(
      (h, i) => dot(file.state_dict['lin.weight'][0], h) + file.state_dict['lin.bias'][0] + xs[i]!,
    );
    expectNear(await run(file, pairs.flat()), expected, 1e-5, 'y');
  });
});

describe('AIDA-X', () => {
  it('scales the input, adds it, scales the output', async () => {
    const [g, h] = [10 ** (6 / 20), 10 ** (-3 / 20)];
    const plain = await run(
      chain(),
      xs.map((x) => Math.fround(x * g)),
    );
    const y = await run({ ...chain(), in_skip: 1, in_gain: 6, out_gain: -3, samplerate: 48000 }, xs);
    expectNear(
      y,
      plain.map((value, i) => (value + xs[i]! * g) * h),
      1e-6,
      'y',
    );
    const model = await read({ ...chain(), metadata: { samplerate: 44100 } });
    expect(model.metadata.sampleRate).toBe(44100);
  });
});

describe('layers', () => {
  const layered = (width: number, ...layers: Json[]) => ({ in_shape: [null, null, width], layers });

  it('normalizes and bends with slopes', async () => {
    const [gamma, beta, mean, variance] = [
      [2, 1],
      [0.5, 0],
      [1, -1],
      [4, 0.25],
    ];
    const file = layered(
      2,
      { type: 'batchnorm', shape: [null, null, 2], epsilon: 0, weights: [gamma, beta, mean, variance] },
      { type: 'prelu', shape: [null, null, 2], weights: [[[0.5, 0.25]]] },
    );
    expectNear(await run(file, [1, -2, -1, 0]), [0.5, -0.5, -0.75, 2], 1e-6, 'y');
    const plain = layered(2, { type: 'batchnorm', shape: [null, null, 2], epsilon: 0, weights: [mean, variance] });
    expectNear(await run(plain, [3, 0]), [1, 2], 1e-6, 'y');
  });

  it('convolves with the past alone', async () => {
    const kernel = [[[1]], [[10]], [[100]]];
    const conv = { type: 'conv1d', activation: '', shape: [null, null, 1], kernel_size: [3], dilation: [2] };
    const file = layered(1, { ...conv, weights: [kernel, [0]] });
    expectNear(await run(file, [1, 2, 3, 4, 5]), [100, 200, 310, 420, 531], 1e-6, 'y');
  });

  it('applies functions', async () => {
    const file = layered(1, { type: 'activation', activation: 'elu', shape: [null, null, 1], weights: [] });
    expectNear(await run(file, [-1, 2]), [Math.exp(-1) - 1, 2], 1e-6, 'y');
  });
});

describe('writes what it reads', () => {
  const layered = (...layers: Json[]) => ({ in_shape: [null, null, 1], layers });
  const gru = {
    type: 'gru',
    activation: '',
    shape: [null, null, 3],
    weights: [numbers(1, 1, 9), numbers(20, 3, 9), numbers(60, 2, 9)],
  };
  const conv = {
    type: 'conv1d',
    activation: 'relu',
    shape: [null, null, 4],
    kernel_size: [3],
    dilation: [2],
    groups: 2,
  };

  it.each<[string, () => Json, RegExp | undefined]>([
    ['a chain', chain, undefined],
    ['a skip and gains', () => ({ ...chain(), in_skip: 1, in_gain: 6, out_gain: -3, samplerate: 48000 }), /AIDA-X/],
    ['a gain alone', () => ({ ...chain(), in_gain: 6 }), undefined],
    ['GuitarML', guitarMl, /AIDA-X/],
    [
      'two inputs of GuitarML',
      () => ({ ...guitarMl(), model_data: { ...guitarMl().model_data, input_size: 2 }, state_dict: lstmState(2, 5) }),
      /AIDA-X/,
    ],
    [
      'every layer',
      () =>
        layered(
          { type: 'dense', activation: 'tanh', shape: [null, null, 4], weights: [numbers(3, 1, 4), numbers(9, 4)] },
          { ...conv, weights: [numbers(30, 3, 2, 4), numbers(70, 4)] },
          {
            type: 'batchnorm',
            shape: [null, null, 4],
            epsilon: 0.01,
            weights: [
              [1, 1, 2, 2],
              [0, 1, 0, 1],
              [1, 0, 1, 0],
              [1, 2, 3, 4],
            ],
          },
          { type: 'prelu', shape: [null, null, 4], weights: [[[0.1, 0.2, 0.3, 0.4]]] },
          { type: 'activation', activation: 'elu', shape: [null, null, 4], weights: [] },
          { ...gru, weights: [numbers(1, 4, 9), numbers(20, 3, 9), numbers(60, 2, 9)] },
          { type: 'activation', activation: 'softmax', shape: [null, null, 3], weights: [] },
        ),
      undefined,
    ],
  ])('%s', async (_, make, note) => {
    const model = await read(make());
    const { bytes, notes } = await writerFor('rtneural', 'test').write(model, {});
    if (note) expect(notes).toEqual([expect.stringMatching(note)]);
    else expect(notes).toEqual([]);
    const again = (await readModel(bytes)).model;
    const x = Float32Array.from([...xs, ...xs]);
    const run = (one: typeof model) => createSession(one, { engine: simd128Engine }).run({ x }).y!.data;
    expectNear(run(again), run(model), 1e-6, 'y');
    expect(again.metadata).toEqual(model.metadata);
  });

  it('says that a model of the last step gives every step', async () => {
    const model = await read(chain());
    const graph = model.graphs.main!;
    const [lstm, dense] = graph.nodes;
    const last = {
      ...model,
      graphs: {
        main: {
          ...graph,
          nodes: [
            { ...lstm!, outputs: { h: 'h' } },
            { ...dense!, inputs: { x: 'h' } },
          ],
        },
      },
    };
    const { bytes, notes } = await writerFor('rtneural', 'test').write(last, {});
    expect(notes).toEqual([expect.stringMatching(/every step/)]);
    const y = [...createSession((await readModel(bytes)).model).run({ x: Float32Array.from(xs) }).y!.data];
    expectNear(createSession(last).run({ x: Float32Array.from(xs) }).y!.data, y.slice(-1), 1e-6, 'last');
  });

  it.each<[string, (node: Json) => void, RegExp]>([
    ['backward layers', (node) => Object.assign(node.attributes, { direction: 'backward' }), /"0-lstm"[\s\S]*backward/],
    ['other functions', (node) => Object.assign(node.attributes, { activation: ['relu'] }), /"0-lstm"[\s\S]*tanh/],
  ])('refuses %s by name', async (_, change, message) => {
    const model = structuredClone(await read(chain()));
    change(model.graphs.main!.nodes[0]);
    await expect(writerFor('rtneural', 'test').write(model, {})).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
  });
});

describe('refuses', () => {
  it.each<[string, () => Json, ErrorCode, RegExp]>([
    [
      'other layers',
      () => ({ ...chain(), layers: [{ type: 'conv2d' }] }),
      'MODEL_UNSUPPORTED',
      /conv2d[\s\S]*known: dense/,
    ],
    [
      'other functions in cells',
      () => ({ ...chain(), layers: [{ ...chain().layers[0], activation: 'relu' }] }),
      'MODEL_UNSUPPORTED',
      /0-lstm[\s\S]*inside the cell/,
    ],
    [
      'matrices of other shapes',
      () => ({ ...chain(), layers: [{ ...chain().layers[0], shape: [null, null, 5] }] }),
      'MODEL_SHAPE',
      /0-lstm\/W[\s\S]*\[1, 20\][\s\S]*\[1, 16\]/,
    ],
    [
      'rows of other lengths',
      () => {
        const file = chain();
        file.layers[0].weights[1][2].pop();
        return file;
      },
      'MODEL_SHAPE',
      /0-lstm\/U/,
    ],
    [
      'texts among numbers',
      () => {
        const file = chain();
        file.layers[0].weights[1][2][3] = 'NaN';
        return file;
      },
      'MODEL_VALUE',
      /0-lstm\/U[\s\S]*"NaN"/,
    ],
    [
      'numbers beyond float32',
      () => {
        const file = chain();
        file.layers[0].weights[1][2][3] = 1e40;
        return file;
      },
      'MODEL_VALUE',
      /not finite/,
    ],
    ['no layers', () => ({ ...chain(), layers: [] }), 'FILE_CORRUPT', /no layers/],
    ['no input shape', () => ({ ...chain(), in_shape: [null] }), 'FILE_CORRUPT', /in_shape/],
    ['skips of several', () => ({ ...chain(), in_skip: 2 }), 'MODEL_UNSUPPORTED', /in_skip/],
    [
      'descriptions of other models',
      () => ({ ...guitarMl(), model_data: { ...guitarMl().model_data, hidden_size: 6 } }),
      'MODEL_INVALID',
      /model_data.hidden_size[\s\S]*6[\s\S]*5/,
    ],
    [
      'parameters that no module uses',
      () => ({ ...guitarMl(), state_dict: { ...lstmState(1, 5), 'rec.weight_hr_l0': numbers(1, 2, 5) } }),
      'FILE_UNUSED',
      /rec.weight_hr_l0/,
    ],
    [
      'modules of other kinds',
      () => ({ state_dict: { 'conv.weight': numbers(1, 2, 2, 2), 'rec.weight_ih_l0': 0 } }),
      'MODEL_SHAPE',
      /conv.weight/,
    ],
  ])('%s', async (_, make, code, message) => {
    await expect(readModel(bytesOf(make()))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
