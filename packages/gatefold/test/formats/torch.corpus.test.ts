import { readFileSync } from 'node:fs';
import { createSession, type Model, readSafetensors, simd128Engine, writeSafetensors } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import { languageModel, windPower } from './corpus-architectures.ts';

const corpus = process.env.GATEFOLD_CORPUS!;
const bytesOf = (path: string) => new Uint8Array(readFileSync(`${corpus}/models/${path}`));

/** Parameters as published, less the second bias of each LSTM, which is always added to the first. */
const readable: { path: string; parameters: number; streams: boolean; architecture?: string }[] = [
  { path: 'felixchenfy/kaggle.ckpt', parameters: 88_803 - 3 * 256, streams: true },
  { path: 'felixchenfy/my.ckpt', parameters: 87_243 - 3 * 256, streams: true },
  { path: 'wind-power/glstm_noclass_best.pth', parameters: 233_401 - 200 - 200 - 800, streams: true },
  {
    path: 'wind-power/bilstm_optuna_best.pt',
    parameters: 231_425 - 2 * 512,
    streams: false,
    architecture: windPower(['head.0', 'head.3']),
  },
  {
    path: 'wind-power/bilstm_ga_best_noclass.pt',
    parameters: 363_521 - 3 * 512,
    streams: true,
    architecture: windPower(['lin1', 'lin2']),
  },
  { path: 'dlfs2-ptb/Rnnlm.safetensors', parameters: 2_038_542, streams: true, architecture: languageModel },
];

describe('read with the published number of parameters', () => {
  it.each(readable)('$path', async ({ path, parameters, streams, architecture }) => {
    const { model } = await readModel(bytesOf(path), architecture ? { architecture } : {});
    const count = Object.values(model.weights).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count).toBe(parameters);
    expect(createSession(model, { engine: simd128Engine }).streams).toBe(streams);
  });
});

const refused: [string, RegExp][] = [
  ['wind-power/bilstm_optuna_best.pt', /between head\.0 and head\.3 \(relu\?\) is not in the file/],
  ['wind-power/bilstm_ga_best_noclass.pt', /between lin1 and lin2 \(relu\?\)/],
  ['silero-vad/silero_vad.jit', /_model\.stft: its class vad\.utils\.pytorch_stft\.STFT is not known/],
  ['silero-vad/silero_vad_16k.safetensors', /stride, padding and dilation of a convolution/],
  ['dlfs2-ptb/Rnnlm.safetensors', /lstm: tensors Wx, Wh, b are of no known layer/],
  ['dlfs2-ptb/AttentionSeq2seq.safetensors', /enc\.lstm: tensors Wx, Wh, b are of no known layer/],
];

it.each(refused)('%s needs an architecture', async (path, reason) => {
  const reading = readModel(bytesOf(path));
  await expect(reading).rejects.toMatchObject({ code: 'MODEL_NO_ARCHITECTURE' });
  await expect(reading).rejects.toThrow(reason);
});

interface Vectors {
  readonly params: Readonly<Record<string, [number[], number[]]>>;
  readonly input: [number[], number[]];
  readonly output: [number[], number[]];
  readonly initial_hidden?: [number[], number[]];
  readonly initial_cell?: [number[], number[]];
}

/** The model with its initial states as inputs: in PyTorch they are arguments of a call. */
function withStates(model: Model, states: readonly string[], units: number): Model {
  const graph = model.graphs.main!;
  const ports = states.map((name) => ({ name, shape: ['batch', units] as const, dtype: 'float32' as const }));
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: { ...node.inputs, ...Object.fromEntries(states.map((name) => [name, name])) },
  }));
  return { ...model, graphs: { main: { ...graph, inputs: [...graph.inputs, ...ports], nodes } } };
}

describe('vectors of PyTorch that rten publishes', () => {
  const cases = JSON.parse(readFileSync(`${corpus}/models/rten/rnn.json`, 'utf8')) as Record<string, Vectors>;
  it.each(Object.keys(cases).filter((name) => name !== '__comment__'))('%s', async (name) => {
    const { params, input, output, initial_hidden: h, initial_cell: c } = cases[name]!;
    const tensors = new Map(
      Object.entries(params).map(([key, [shape, data]]) => [
        key,
        { type: 'F32', shape, bytes: new Uint8Array(Float32Array.from(data).buffer) },
      ]),
    );
    const { model } = await readModel(writeSafetensors({ metadata: {}, tensors }));
    const states = { ...(h ? { h: h[1] } : {}), ...(c ? { c: c[1] } : {}) };
    const session = createSession(withStates(model, Object.keys(states), h?.[0].at(-1) ?? 0), {
      engine: simd128Engine,
    });
    const result = session.run({ input: input[1], ...states });
    const [y] = Object.values(result);
    expect(y!.data.length).toBe(output[1].length);
    output[1].forEach((value, i) => {
      expect(Math.abs(y!.data[i]! - value)).toBeLessThan(1e-5);
    });
  });
});

it('the gate order of an architecture file is the order of the file', async () => {
  const bytes = bytesOf('dlfs2-ptb/Rnnlm.safetensors');
  const { model } = await readModel(bytes, { architecture: languageModel });
  const ids = [5, 100, 7, 2000];
  const session = createSession(model, { engine: simd128Engine });
  const [y] = Object.values(session.run({ input: ids }));
  const expected = referenceLanguageModel(bytes, ids);
  expect(y!.data.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(y!.data[i]! - value)).toBeLessThan(1e-4);
  });
});

/** x·Wx + h·Wh + b in the blocks f, g, i, o, as the book of the model writes it. */
function referenceLanguageModel(bytes: Uint8Array, ids: readonly number[]): number[] {
  const { tensors } = readSafetensors(bytes);
  const numbers = (key: string) => {
    const { bytes: raw } = tensors.get(key)!;
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    return Float64Array.from({ length: raw.length / 2 }, (_, i) => half(view.getUint16(2 * i, true)));
  };
  const [embed, wx, wh, b, w, bias] = ['embed.weight', 'lstm.Wx', 'lstm.Wh', 'lstm.b', 'affine.W', 'affine.b'].map(
    numbers,
  ) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  let h = new Float64Array(100);
  const c = new Float64Array(100);
  return ids.flatMap((id) => {
    const a = Float64Array.from(b);
    for (let i = 0; i < 100; i++)
      for (let k = 0; k < 400; k++) a[k]! += embed[id * 100 + i]! * wx[i * 400 + k]! + h[i]! * wh[i * 400 + k]!;
    h = h.map((_, u) => {
      c[u] = sigmoid(a[u]!) * c[u]! + Math.tanh(a[100 + u]!) * sigmoid(a[200 + u]!);
      return sigmoid(a[300 + u]!) * Math.tanh(c[u]!);
    });
    return Array.from(bias, (start, v) => h.reduce((sum, value, u) => sum + value * w[u * bias.length + v]!, start));
  });
}

function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}
