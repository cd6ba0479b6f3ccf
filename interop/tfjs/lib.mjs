import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';

/** Loads a layers model from its model.json and the files beside it. */
export async function load(path) {
  const file = JSON.parse(readFileSync(path, 'utf8'));
  const paths = file.weightsManifest.flatMap((group) => group.paths);
  const parts = paths.map((name) => new Uint8Array(readFileSync(join(dirname(path), name))));
  return tf.loadLayersModel({
    load: async () => ({
      modelTopology: file.modelTopology,
      format: file.format,
      weightSpecs: file.weightsManifest.flatMap((group) => group.weights),
      weightData: Uint8Array.from(parts.flatMap((part) => [...part])).buffer,
    }),
  });
}

/** Writes a model as model.save does, in shards of at most `shard` bytes. */
export async function save(model, folder, shard) {
  await model.save({
    save: async ({ weightData, weightSpecs, ...rest }) => {
      const paths = [];
      const bytes = new Uint8Array(weightData);
      for (let at = 0; at < bytes.length; at += shard) {
        paths.push(`group1-shard${paths.length + 1}of${Math.ceil(bytes.length / shard)}.bin`);
        writeFileSync(join(folder, paths.at(-1)), bytes.subarray(at, at + shard));
      }
      writeFileSync(
        join(folder, 'model.json'),
        JSON.stringify({ ...rest, weightsManifest: [{ paths, weights: weightSpecs }] }),
      );
      return {};
    },
  });
}

/** What the model answers: `[{shape, data}, …]` in the order of its outputs. */
export function predict(model, inputs) {
  const tensors = inputs.map(({ shape, data }) => tf.tensor(data, shape));
  const outputs = model.predict(tensors.length === 1 ? tensors[0] : tensors);
  return [outputs].flat().map((y) => ({ shape: y.shape, data: [...y.dataSync()] }));
}

/** Numbers in 0 … 1 from a seed (mulberry32). */
export function randomSource(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
