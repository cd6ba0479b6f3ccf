import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeGatefold } from '@gatefold/runtime';
import { quantize, readModel } from 'gatefold';
import { at } from './files.mjs';

const settings = [
  { bits: 8 },
  { bits: 4 },
  { bits: 4, scheme: 'log' },
  { bits: 2, scheme: 'codebook' },
  { bits: 12 },
  { scheme: 'f16' },
  { bits: 4, mixed: [{ target: 'U/candidate', bits: 8 }] },
];

/** Small valid files: Keras and ONNX fixtures, and containers of every encoding made from one of them. */
export async function fuzzSeeds(reader) {
  const folder = at('fixtures/keras/');
  const keras = readdirSync(folder)
    .filter((name) => /\.(h5|keras)$/.test(name))
    .map((name) => {
      const json = folder + name.replace(/(\.weights-only|\.weights)?\.(h5|keras)$/, '.json');
      return {
        name,
        bytes: new Uint8Array(readFileSync(folder + name)),
        ...(existsSync(json) ? { architecture: readFileSync(json, 'utf8') } : {}),
      };
    })
    .sort((a, b) => a.bytes.length - b.bytes.length)
    .slice(0, 24);
  const onnxFolder = at('fixtures/onnx/');
  const onnx = readdirSync(onnxFolder)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(onnxFolder + name)) }));
  const { model } = await readModel(new Uint8Array(readFileSync(`${folder}k3-sequential.keras`)));
  const containers = [{ name: 'float', bytes: writeGatefold(model) }];
  for (const options of settings) {
    const chosen = options.mixed && !JSON.stringify(model).includes('recurrent') ? { bits: 4 } : options;
    containers.push({
      name: `gatefold ${JSON.stringify(options)}`,
      bytes: writeGatefold(quantize(model, chosen).model),
    });
  }
  const all = { gatefold: containers, keras, onnx };
  return reader === 'all' ? Object.values(all).flat() : all[reader];
}
