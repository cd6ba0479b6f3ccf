// Makes fixtures/tfjs: models written by TensorFlow.js itself, and its answers.
//
//     npm ci --prefix interop/tfjs && node interop/tfjs/make_fixtures.mjs
//
// Folders that hold a model.json and no io.json (the Python converter's: see interop/make_tfjs_converted.py) get answers.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { load, predict, randomSource, save } from './lib.mjs';
import { models } from './models.mjs';

const root = fileURLToPath(new URL('../../fixtures/tfjs/', import.meta.url));

/** Reproducible weights; variances stay positive. */
function randomize(model, random) {
  for (const { originalName, val } of model.weights) {
    const positive = /variance/.test(originalName);
    const data = Float32Array.from({ length: val.size }, () => (positive ? 0.5 + random() : (random() - 0.5) * 1.4));
    val.assign(tf.tensor(data, val.shape));
  }
}

/** Two rows for every input: ids where the first layer looks them up. */
function inputsOf(model, random) {
  const ids = model.layers.find((layer) => layer.getClassName() === 'Embedding')?.inputDim;
  return model.inputs.map(({ shape }) => {
    const full = [2, ...shape.slice(1).map((n) => n ?? 7)];
    const size = full.reduce((a, b) => a * b, 1);
    const draw = ids ? () => Math.floor(random() * ids) : () => (random() - 0.5) * 4;
    return { shape: full, data: [...Float32Array.from({ length: size }, draw)] };
  });
}

async function answer(folder, seed) {
  const model = await load(join(folder, 'model.json'));
  const inputs = inputsOf(model, randomSource(seed));
  writeFileSync(join(folder, 'io.json'), JSON.stringify({ inputs, outputs: predict(model, inputs) }));
}

let seed = 1;
for (const [name, make] of Object.entries(models)) {
  const model = make();
  randomize(model, randomSource(seed));
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  await save(model, folder, name === 'lstm-stack' ? 1000 : 4 << 20);
  await answer(folder, seed++);
}
for (const name of readdirSync(root)) {
  const folder = join(root, name);
  const config = join(folder, 'model.json');
  if (name in models || !existsSync(config)) continue;
  await answer(folder, seed++);
  console.log(name, JSON.parse(readFileSync(config, 'utf8')).convertedBy);
}
