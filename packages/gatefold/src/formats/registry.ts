import { isGatefold, isSafetensors, readGatefold, writeGatefold } from '@gatefold/runtime';
import { isKeras, readKeras } from './keras/index.ts';
import { readSafetensorsModel, safetensorsWeights, writeSafetensorsModel } from './safetensors/index.ts';
import { architectureTemplate, withTensors } from './state-dict/index.ts';
import { isTorch, readTorch, torchWeights, writeTorch } from './torch/index.ts';
import type { Format } from './types.ts';

const gatefold: Format = {
  name: 'gatefold',
  title: 'a .gatefold file',
  extensions: ['gatefold'],
  is: isGatefold,
  read: async (bytes) => ({ model: readGatefold(bytes), version: '1' }),
  write: async (model) => ({ bytes: writeGatefold(model) }),
};

const keras: Format = {
  name: 'keras',
  title: 'a Keras model (.h5, .keras)',
  extensions: [],
  is: isKeras,
  async read(bytes, options) {
    const model = await readKeras(bytes, options);
    return { model, version: String(model.origin?.kerasVersion) };
  },
};

const torch: Format = {
  name: 'torch',
  title: 'a PyTorch file (.pt, .pth, .ckpt)',
  extensions: ['pt', 'pth', 'ckpt'],
  is: isTorch,
  read: readTorch,
  template: (bytes) => architectureTemplate(torchWeights(bytes)),
  write: (model, { source }) => writeTorch(model, source),
  reread: (bytes, model) => withTensors(model, torchWeights(bytes).tensors),
};

const safetensors: Format = {
  name: 'safetensors',
  title: 'a safetensors state dict',
  extensions: ['safetensors'],
  is: isSafetensors,
  read: async (bytes, options) => ({ model: await readSafetensorsModel(bytes, options), version: '1' }),
  template: (bytes) => architectureTemplate(safetensorsWeights(bytes)),
  write: (model, { source }) => writeSafetensorsModel(model, source),
  reread: (bytes, model) => withTensors(model, safetensorsWeights(bytes).tensors),
};

/** Asked in this order: the first whose `is` says yes reads the file. */
export const formats: readonly Format[] = [gatefold, keras, torch, safetensors];
