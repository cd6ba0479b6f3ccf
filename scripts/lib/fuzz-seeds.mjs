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

/** Small valid files: Keras fixtures, and containers of every encoding made from one of them, TensorFlow Lite fixtures. */
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
  const { model } = await readModel(new Uint8Array(readFileSync(`${folder}k3-sequential.keras`)));
  const containers = [{ name: 'float', bytes: writeGatefold(model) }];
  for (const options of settings) {
    const chosen = options.mixed && !JSON.stringify(model).includes('recurrent') ? { bits: 4 } : options;
    containers.push({
      name: `gatefold ${JSON.stringify(options)}`,
      bytes: writeGatefold(quantize(model, chosen).model),
    });
  }
  const lite = readdirSync(at('fixtures/tflite/'))
    .filter((name) => name.endsWith('.tflite'))
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(at(`fixtures/tflite/${name}`))) }))
    .filter(({ bytes }) => bytes.length < 60_000);
  const seeds = { gatefold: containers, keras, tflite: lite };
  return reader === 'all' ? Object.values(seeds).flat() : seeds[reader];
}
