import { isGatefold, readGatefold, writeGatefold } from '@gatefold/runtime';
import { isKeras, readKeras } from './keras/index.ts';
import { isTflite, readTflite } from './tflite/index.ts';
import { writeTflite } from './tflite/write/index.ts';
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

const tflite: Format = {
  name: 'tflite',
  title: 'a TensorFlow Lite model (.tflite)',
  extensions: ['tflite'],
  // Its kernels know one scale per gate matrix.
  quantizeDefaults: { granularity: 'gate' },
  is: isTflite,
  read: async (bytes, options) => ({ model: await readTflite(bytes, options), version: '3' }),
  write: async (model) => ({ bytes: writeTflite(model) }),
};

/** Asked in this order: the first whose `is` says yes reads the file. */
export const formats: readonly Format[] = [gatefold, keras, tflite];
