import { readFileSync } from 'node:fs';
import { createSession, decode, type Model, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { denoise, siSdr } from '../../../../bench/lib/dtln.mjs';
import { readWav } from '../../../../bench/lib/speech.mjs';
import { type QuantizeOptions, quantize } from '../../src/compress/index.ts';
import { readModel, withWeightsOf } from '../../src/formats/index.ts';
import { difference } from './onnx-support.ts';

const corpus = process.env.GATEFOLD_CORPUS!;
const bytesOf = (name: string) => new Uint8Array(readFileSync(`${corpus}/models/dtln/${name}`));
const read = async (name: string) => (await readModel(bytesOf(name))).model;
const speech = ['04', '11', '23'].map((name) =>
  readWav(readFileSync(`${corpus}/data/ten-vad-testset/testset-audio-${name}.wav`)).subarray(0, 6 * 16_000),
);

function functionOf(model: Model): (rows: Float32Array) => Float32Array {
  const session = createSession(model, { engine: simd128Engine });
  return (rows) => session.run({ [session.inputs[0]!.name]: rows })[session.outputs[0]!.name]!.data;
}

const sounds = ([first, second]: readonly Model[]): Float32Array[] =>
  speech.map((samples) => denoise(functionOf(first!), functionOf(second!), samples));

describe('DTLN', () => {
  const parts = (ending: string) => Promise.all([read(`model_1${ending}`), read(`model_2${ending}`)]);

  it('is one model as .onnx and as .tflite', async () => {
    const [a, b] = [sounds(await parts('.onnx')), sounds(await parts('.tflite'))];
    for (const [i, sound] of a.entries()) expect(difference(b[i]!, sound)).toBeLessThan(1e-5);
    expect(Math.max(...a[0]!)).toBeGreaterThan(0.01);
  });

  it.each(['.onnx', '.tflite'])('takes the weights of the .h5 into the graph of the %s', async (ending) => {
    const layers = [];
    for (const model of await parts(ending)) {
      const weights = Object.entries(model.weights).map(([name, weight]) => {
        const values = decode(weight);
        return [name, { ...weight, encoding: { kind: 'dense', type: 'f32', values: values.map((n) => n * 0.5) } }];
      });
      const lent = withWeightsOf(bytesOf('model.h5'), { ...model, weights: Object.fromEntries(weights) });
      for (const [name, weight] of Object.entries(model.weights)) {
        expect(difference(decode(lent.model.weights[name]!), decode(weight)), name).toBeLessThan(1e-7);
      }
      layers.push(...lent.taken.map(({ layer }) => layer));
    }
    expect(layers.join(' ')).toBe('lstm lstm_1 dense conv1d layer_normalization lstm_2 lstm_3 dense_1 conv1d_1');
  });

  it('loses by int8 what the published quantized model loses, and less with finer operands', async () => {
    const float = await parts('.onnx');
    const reference = sounds(float);
    const ratio = (models: readonly Model[]) => {
      const made = sounds(models);
      return made.reduce((sum, sound, i) => sum + siSdr(sound, reference[i]!) / made.length, 0);
    };
    const coded = (options: QuantizeOptions) => ratio(float.map((model) => quantize(model, options).model));
    const published = ratio([await read('model_quant_1.tflite'), await read('model_quant_2.tflite')]);
    expect(published).toBeGreaterThan(15);
    expect(coded({ bits: 8 })).toBeGreaterThan(published - 1);
    expect(coded({ bits: 8, operand: 'u14' })).toBeGreaterThan(published + 4);
  });
});
