import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSession, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { quantize } from '../../src/compress/index.ts';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';
import { litert, root, wave, worst, written } from './litert.ts';

describe('files that Gatefold writes run in LiteRT', () => {
  // What the format has no cell for is refused: see writers.test.ts.
  const held = Object.entries(cellChoices).flatMap(([name, { attributes = {} }]) =>
    name === 'lstmHard' || attributes.clip !== undefined ? [] : [name],
  );
  it.each(held)('%s', async (name) => {
    const model = smallModel(11, cellChoices[name]!, { features: 5, units: 8 });
    const session = createSession(model, { engine: simd128Engine });
    const steps = 6;
    const data = wave(steps * 5, 0);
    const out = session.run({ [session.inputs[0]!.name]: Float32Array.from(data) });
    const stepwise = cellChoices[name]!.cell === 'gru';
    const rows = Array.from({ length: steps }, (_, t) => [{ shape: [1, 1, 5], data: data.slice(5 * t, 5 * t + 5) }]);
    const outputs = session.outputs.length;
    const { calls } = litert({
      model: await written(model),
      calls: stepwise ? rows : [[{ shape: [1, steps, 5], data }]],
      states: stepwise ? [[1, outputs]] : [],
      reset: false,
    });
    session.outputs.forEach((port, i) => {
      const reference = out[port.name]!;
      const sequence = stepwise && reference.data.length > calls[0]![i]!.length;
      const made = sequence ? calls.flatMap((call) => call[i]!) : calls.at(-1)![i]!;
      expect(worst(reference.data, made)).toBeLessThan(1e-5);
    });
  });

  it.each(['float', 'int8'])('digits, %s', async (kind) => {
    const bytes = new Uint8Array(readFileSync(join(root, 'examples/digits/model/digits-lstm128.h5')));
    const { model } = await readModel(bytes);
    const used = kind === 'int8' ? quantize(model, { bits: 8, granularity: 'gate', operand: 'f32' }).model : model;
    const x = readNpz(readFileSync(join(root, 'fixtures/digits/reference.npz'))).get('x')!;
    const samples = Array.from({ length: x.shape[0]! }, (_, i) =>
      Array.from(x.data.slice(i * 784, (i + 1) * 784), Number),
    );
    const { calls } = litert({
      model: await written(used),
      calls: samples.map((data) => [{ shape: [1, 28, 28], data }]),
      states: [],
      reset: true,
    });
    const session = createSession(used, { engine: simd128Engine });
    let agreed = 0;
    samples.forEach((data, i) => {
      const y = session.run({ [session.inputs[0]!.name]: Float32Array.from(data) })[session.outputs[0]!.name]!.data;
      const made = calls[i]![0]!;
      if (kind === 'float') expect(worst(y, made)).toBeLessThan(1e-5);
      const best = (values: ArrayLike<number>) => Array.from(values).indexOf(Math.max(...Array.from(values)));
      if (best(y) === best(made)) agreed++;
    });
    expect(agreed / samples.length).toBeGreaterThanOrEqual(0.995);
  });
});

/** Files of others: by how much Gatefold may differ, in output steps where the file is integer. */
const corpus: [
  string,
  {
    tolerance: number;
    steps?: number;
    explicit?: boolean;
    scale?: number;
    streamed?: boolean;
    frames?: number;
    share?: number;
  },
][] = [
  // Its 8-bit state rounds what goes around, Gatefold keeps it in float32; and one code of its logits is 2.5 steps of its output.
  [
    'tflite-micro/dtln/dtln_noise_suppression.tflite',
    { tolerance: 0, steps: 2, streamed: true, frames: 60, scale: 4, share: 0.99 },
  ],
  ['tflite-micro/mnist_lstm/trained_lstm.tflite', { tolerance: 1e-5 }],
  ['tflite-micro/mnist_lstm/trained_lstm_int8.tflite', { tolerance: 0, steps: 2 }],
  ['tflite-micro/micro_speech_lstm/micro_speech_lstm.tflite', { tolerance: 0, steps: 2, scale: 100 }],
  ['dtln/model_1.tflite', { tolerance: 1e-5, explicit: true }],
  ['dtln/model_2.tflite', { tolerance: 1e-5, explicit: true }],
  ['dtln/model_quant_1.tflite', { tolerance: 0.02, explicit: true }],
  ['dtln/model_quant_2.tflite', { tolerance: 0.04, explicit: true }],
  ['emg-cdt406/RNN2_300ms.tflite', { tolerance: 1e-5 }],
  ['emg-cdt406/RNN2_90ms.tflite', { tolerance: 1e-5 }],
  ['emg-cdt406/RNN2_300ms_2state.tflite', { tolerance: 1e-5 }],
];
const models = process.env.GATEFOLD_CORPUS ? join(process.env.GATEFOLD_CORPUS, 'models') : '';

/** Real numbers as an integer port can take them. */
function coded(ports: unknown, name: string): (value: number) => number {
  const coding = (ports as Record<string, { scale: number; zero: number }> | undefined)?.[name];
  if (!coding) return (value) => value;
  const { scale, zero } = coding;
  return (value) => (Math.min(127, Math.max(-128, Math.round(value / scale) + zero)) - zero) * scale;
}

describe.skipIf(!existsSync(models))('files of others give what LiteRT gives', () => {
  it.each(corpus)(
    '%s',
    async (path, { tolerance, steps = 0, explicit = false, scale = 1, streamed = explicit, frames = 8, share = 1 }) => {
      const file = join(models, path);
      const { model } = await readModel(new Uint8Array(readFileSync(file)));
      const session = createSession(model, { engine: simd128Engine });
      const [port] = session.inputs;
      const shape = port!.shape.map((dim) => (typeof dim === 'number' ? dim : 1));
      const size = shape.reduce((a, b) => a * b, 1);
      const given = coded(model.origin?.quantizedPorts, port!.name);
      const calls = Array.from({ length: frames }, (_, n) => [
        { shape, data: wave(size, n).map((v) => given((scale * (v + 1)) / 2)) },
      ]);
      const result = litert({ model: file, calls, states: explicit ? [[1, 1]] : [], reset: !streamed });
      const stream = streamed ? session.stream() : undefined;
      const allowed = steps > 0 ? 1.001 * steps * result.step : tolerance;
      let within = 0;
      let all = 0;
      calls.forEach(([input], n) => {
        const inputs = { [port!.name]: Float32Array.from(input!.data) };
        const made = (stream ? session.run(inputs, { streams: [stream] }) : session.run(inputs))[
          session.outputs[0]!.name
        ]!;
        const reference = result.calls[n]![0]!;
        expect(made.data.length).toBe(reference.length);
        made.data.forEach((value, i) => {
          all++;
          if (worst([value], [reference[i]!]) <= allowed) within++;
        });
      });
      expect(within / all).toBeGreaterThanOrEqual(share);
    },
  );
});
