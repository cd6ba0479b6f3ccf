import { createSession, decode, denseWeight, type Model, type Session, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { quantize } from '../../src/compress/index.ts';
import { readModel, writerFor } from '../../src/formats/index.ts';
import { expectNear } from './compare.ts';
import { type Fixture, fixtures } from './fixtures.ts';
import { writeWhatCanBe } from './writable.ts';

/** All outputs of all calls, one after the other. */
function answers(model: Model, arrays: Fixture['arrays']): Float32Array[][] {
  const session = createSession(model, { engine: simd128Engine });
  const suffixes = arrays.has('in0_call0') ? ['_call0', '_call1'] : [''];
  const batch = arrays.get(`in0${suffixes[0]}`)!.shape[0]!;
  const streams = suffixes.length > 1 ? Array.from({ length: batch }, () => session.stream()) : undefined;
  return suffixes.map((suffix) => {
    const result = session.run(inputsOf(session, arrays, suffix), streams ? { batch, streams } : { batch });
    return session.outputs.map(({ name }) => result[name]!.data as Float32Array);
  });
}

function inputsOf(session: Session, arrays: Fixture['arrays'], suffix: string): Record<string, Float32Array> {
  return Object.fromEntries(session.inputs.map(({ name }, i) => [name, arrays.get(`in${i}${suffix}`)!.data]));
}

const relu6 = ['relu6', 'leaky_relu'];
/** Nodes for which a version of Keras has no layer. */
const known: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  h5: {
    'k3-activation-layers.keras': ['activation-squareplus@2'],
    'k3-dense.keras': ['squareplus/activation@2'],
    'k3-gru-activations.keras': relu6,
    'k3-lstm-activations.keras': ['hard_sigmoid', ...relu6],
    'k3-simple-rnn-activations.keras': relu6,
    'k3-normalizations.keras': ['rms', 'rms-epsilon'],
  },
  keras: { 'k2-lstm-activations.h5': ['hard_sigmoid'] },
};

describe.each(['h5', 'keras', 'tfjs'])('written as %s and read again, a fixture computes the same', (format) => {
  const writer = writerFor(format, 'test');

  it.each(fixtures())('$name', async ({ name, bytes, arrays, architecture }) => {
    const { model } = await readModel(bytes, architecture ? { architecture } : {});
    const written = await writeWhatCanBe(model, (part) => writer.write(part, {}));
    // TensorFlow.js has fewer layers: interop/run.sh asks it itself.
    if (format !== 'tfjs') expect(written?.refused).toEqual(known[format]![name] ?? []);
    if (!written) return;
    const { beside } = written.files;
    const again = await readModel(written.files.bytes, beside ? { beside: async (path) => beside.get(path)! } : {});
    const [before, after] = [answers(model, arrays), answers(again.model, arrays)];
    before.forEach((outputs, call) => {
      expect(after[call]!.length).toBe(written.outputs.length);
      written.outputs.forEach((i, k) => {
        expectNear(after[call]![k]!, outputs[i]!, 1e-6, `output ${i}`);
      });
    });
  });
});

/** LSTM 6 over 3 features, Dense 2 with softmax. */
function small(attributes: Model['graphs'][string]['nodes'][number]['attributes'] = {}): Model {
  const values = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.3 + count));
  const lstm = { cell: 'lstm', units: 6, ...attributes };
  return {
    name: 'small',
    metadata: {},
    weights: {
      W: denseWeight([24, 3], values(72)),
      U: denseWeight([24, 6], values(144)),
      b: denseWeight([24], values(24)),
      kernel: denseWeight([2, 6], values(12)),
    },
    graphs: {
      main: {
        inputs: [{ name: 'x', shape: ['batch', 'time', 3], dtype: 'float32' }],
        outputs: [{ name: 'p', value: 'p' }],
        nodes: [
          {
            name: 'lstm',
            op: 'recurrent',
            inputs: { x: 'x' },
            outputs: { h: 'h' },
            attributes: lstm,
            weights: { W: 'W', U: 'U', b: 'b' },
          },
          {
            name: 'dense',
            op: 'dense',
            inputs: { x: 'h' },
            outputs: { y: 'y' },
            attributes: {},
            weights: { kernel: 'kernel' },
          },
          { name: 'softmax', op: 'softmax', inputs: { x: 'y' }, outputs: { y: 'p' }, attributes: {}, weights: {} },
        ],
        states: [],
      },
    },
  };
}

const x = Float32Array.from({ length: 21 }, (_, i) => Math.cos(i));
const run = (model: Model) =>
  Object.values(createSession(model, { engine: simd128Engine }).run({ [model.graphs.main!.inputs[0]!.name]: x }))[0]!
    .data;

describe('compressed models', () => {
  it.each(['h5', 'keras'])('are written to %s as the values they mean, with a note', async (format) => {
    const model = quantize(small(), { bits: 4 }).model;
    const { bytes, notes } = await writerFor(format, 'test').write(model, {});
    expect(notes).toEqual([expect.stringMatching(/float32 values they mean/)]);
    const floats = Object.fromEntries(
      Object.entries(model.weights).map(([name, weight]) => [name, { ...weight, input: { kind: 'f32' as const } }]),
    );
    expectNear(run((await readModel(bytes)).model), run({ ...model, weights: floats }), 1e-6, 'p');
  });

  it('go to TensorFlow.js in its own encoding where they have one scale', async () => {
    const model = quantize(small(), { bits: 8, granularity: 'tensor' }).model;
    const { bytes, beside, notes } = await writerFor('tfjs', 'test').write(model, {});
    const json = JSON.parse(new TextDecoder().decode(bytes));
    expect(notes).toEqual([]);
    const dtypes = json.weightsManifest[0].weights.map(
      ({ name, quantization }: { name: string; quantization?: { dtype: string } }) => [name, quantization?.dtype],
    );
    expect(dtypes).toEqual([
      ['lstm/kernel', 'uint8'],
      ['lstm/recurrent_kernel', 'uint8'],
      ['lstm/bias', undefined],
      ['dense/kernel', 'uint8'],
    ]);
    const again = await readModel(bytes, { beside: async (path) => beside!.get(path)! });
    expect(decode(again.model.weights['lstm/U']!)).toEqual(decode(model.weights.U!));
    expect(decode(again.model.weights['dense/kernel']!)).toEqual(decode(model.weights.kernel!));
  });

  it('of several scales go to TensorFlow.js as float32, with a note', async () => {
    const { notes } = await writerFor('tfjs', 'test').write(
      quantize(small(), { bits: 8, granularity: 'row' }).model,
      {},
    );
    expect(notes).toEqual([expect.stringMatching(/one scale per weight/)]);
  });
});

describe('what Keras has no layer for is refused by name', () => {
  /** With the weights of three gates. */
  const coupled = (): Model => {
    const { weights, ...rest } = small({ coupled: true });
    const zeros = { W: [18, 3], U: [18, 6], b: [18] };
    const three = Object.entries(zeros).map(
      ([name, shape]) => [name, denseWeight(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)))] as const,
    );
    return { ...rest, weights: { ...weights, ...Object.fromEntries(three) } };
  };

  it.each<[string, Model, RegExp]>([
    ['coupled gates', coupled(), /"lstm"[\s\S]*coupled/],
    ['functions in cells', small({ activation: ['erf'] }), /"lstm"[\s\S]*"erf"/],
    ['several graphs', { ...small(), graphs: { a: small().graphs.main!, b: small().graphs.main! } }, /several graphs/],
  ])('%s', async (_, model, message) => {
    await expect(writerFor('keras', 'test').write(model, {})).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
  });
});
