// DTLN (noise suppression, two models) with fewer bits: how far the sound that comes out is from that of the float32 model, as
// SI-SDR in dB over recordings of speech, beside what its authors published as their quantized model. Needs the folder that
// GATEFOLD_CORPUS names.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { quantize, readModel } from '../packages/gatefold/dist/index.js';
import { createSession, writeGatefold } from '../packages/runtime/dist/index.js';
import { median } from './lib/clock.mjs';
import { denoise, siSdr } from './lib/dtln.mjs';
import { readWav } from './lib/speech.mjs';

const corpus = process.env.GATEFOLD_CORPUS;
if (!corpus || !existsSync(corpus)) {
  console.error('GATEFOLD_CORPUS must name the folder with DTLN and the speech');
  process.exit(2);
}
const read = async (name) => (await readModel(new Uint8Array(readFileSync(`${corpus}/models/dtln/${name}`)))).model;
const parts = async (ending) => [await read(`model_1.${ending}`), await read(`model_2.${ending}`)];
const onnx = await parts('onnx');
const ways = {
  'float32 (.onnx)': onnx,
  'float32 (.tflite)': await parts('tflite'),
  'published int8 (.tflite)': [await read('model_quant_1.tflite'), await read('model_quant_2.tflite')],
  int8: onnx.map((model) => quantize(model, { bits: 8 }).model),
  'int8, 14-bit operands': onnx.map((model) => quantize(model, { bits: 8, operand: 'u14' }).model),
  'int8, float32 operands': onnx.map((model) => quantize(model, { bits: 8, operand: 'f32' }).model),
  'int4, float32 operands': onnx.map((model) => quantize(model, { bits: 4, operand: 'f32' }).model),
};
const folder = `${corpus}/data/ten-vad-testset`;
const recordings = readdirSync(folder)
  .filter((name) => name.endsWith('.wav'))
  .map((name) => readWav(readFileSync(`${folder}/${name}`)));

const functionOf = (model) => {
  const session = createSession(model);
  return (rows) => Object.values(session.run({ [session.inputs[0].name]: rows }))[0].data;
};
let reference;
for (const [name, models] of Object.entries(ways)) {
  const [mask, refine] = models.map(functionOf);
  const sounds = recordings.map((samples) => denoise(mask, refine, samples));
  reference ??= sounds;
  const ratios = sounds.map((sound, i) => siSdr(sound, reference[i])).sort((a, b) => a - b);
  const bytes = models.reduce((sum, model) => sum + writeGatefold(model).length, 0);
  console.log(
    `${name.padEnd(26)}${String(bytes).padStart(9)} bytes   SI-SDR median ${median(ratios).toFixed(1).padStart(8)} dB, ` +
      `best ${ratios.at(-1).toFixed(1).padStart(8)} dB, worst ${ratios[0].toFixed(1).padStart(8)} dB`,
  );
}
