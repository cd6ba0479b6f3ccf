import { isGatefold, isSafetensors, readGatefold, writeGatefold } from '@gatefold/runtime';
import { isKeras, readKeras } from './keras/index.ts';
import { lendWeights } from './keras/lend.ts';
import { writeKerasH5, writeKerasZip } from './keras/write/index.ts';
import { isMl5, readMl5 } from './ml5/index.ts';
import { onnx } from './onnx/index.ts';
import { isRtneural, readRtneural } from './rtneural/index.ts';
import { writeRtneural } from './rtneural/write.ts';
import { readSafetensorsModel, safetensorsWeights, writeSafetensorsModel } from './safetensors/index.ts';
import { architectureTemplate, withTensors } from './state-dict/index.ts';
import { isTfjs, readTfjs } from './tfjs/index.ts';
import { writeTfjs } from './tfjs/write.ts';
import { isTflite, readTflite } from './tflite/index.ts';
import { writeTflite } from './tflite/write/index.ts';
import { isTorch, readTorch, torchWeights, writeTorch } from './torch/index.ts';
import type { Format } from './types.ts';

const gatefold: Format = {
  name: 'gatefold',
  title: 'a .gatefold file',
  extensions: ['gatefold'],
  cellBounds: ['clip', 'cellClip', 'inputClip'],
  is: isGatefold,
  read: async (bytes) => ({ model: readGatefold(bytes), version: '1' }),
  write: async (model) => ({ bytes: writeGatefold(model) }),
};

const keras: Format = {
  name: 'keras',
  title: 'a Keras model (.h5, .keras)',
  extensions: ['keras'],
  fixes: true,
  is: isKeras,
  lend: lendWeights,
  write: writeKerasZip,
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

/** Keras' older container: reading tells them apart itself. */
const kerasHdf5: Format = {
  ...keras,
  name: 'h5',
  extensions: ['h5', 'hdf5'],
  is: () => false,
  write: writeKerasH5,
};

const tfjs: Format = {
  name: 'tfjs',
  title: 'a TensorFlow.js layers model (model.json)',
  extensions: ['json'],
  fixes: true,
  is: isTfjs,
  write: writeTfjs,
  async read(bytes, options) {
    const model = await readTfjs(bytes, options);
    return { model, version: String(model.origin?.kerasVersion) };
  },
};

const rtneural: Format = {
  name: 'rtneural',
  title: 'a JSON of RTNeural, AIDA-X or GuitarML',
  extensions: ['aidax'],
  is: isRtneural,
  write: writeRtneural,
  read: async (bytes, options) => {
    const model = await readRtneural(bytes, options);
    return { model, version: String(model.origin?.variant) };
  },
};

const ml5: Format = {
  name: 'ml5',
  title: 'a charRNN of ml5 (manifest.json)',
  extensions: [],
  is: isMl5,
  read: async (bytes, options) => ({ model: await readMl5(bytes, options), version: '1' }),
};

const tflite: Format = {
  name: 'tflite',
  title: 'a TensorFlow Lite model (.tflite)',
  extensions: ['tflite'],
  cellBounds: ['clip', 'cellClip', 'inputClip'],
  // Its kernels know one scale per gate matrix.
  quantizeDefaults: { granularity: 'gate' },
  codedAlike: true,
  is: isTflite,
  read: async (bytes, options) => ({ model: await readTflite(bytes, options), version: '3' }),
  write: writeTflite,
};

/** Asked in this order: the first whose `is` says yes reads the file. */
export const formats: readonly Format[] = [
  gatefold,
  keras,
  kerasHdf5,
  torch,
  safetensors,
  tfjs,
  rtneural,
  ml5,
  tflite,
  onnx,
];
