import { fail, isGatefold, isSafetensors, type Model, readGatefold } from '@gatefold/runtime';
import { isZip } from '../data/zip.ts';
import { isKeras, readKeras } from './keras/index.ts';

export interface ReadOptions {
  /** Text of an architecture file beside the weights. */
  readonly architecture?: string;
  readonly name?: string;
}

export interface ReadModel {
  readonly model: Model;
  readonly format: { readonly name: string; readonly version: string };
}

/** Formats that are recognised so that their refusal can name them. */
const others: readonly { name: string; is: (bytes: Uint8Array) => boolean }[] = [
  { name: 'a TensorFlow Lite model', is: (bytes) => ascii(bytes, 4, 4) === 'TFL3' },
  { name: 'a safetensors state dict without a graph', is: isSafetensors },
  { name: 'a PyTorch archive or another zip file', is: isZip },
  { name: 'a Python pickle', is: (bytes) => bytes[0] === 0x80 && bytes[1]! <= 5 },
  {
    name: 'JSON (a TensorFlow.js model or an architecture alone)',
    is: (bytes) => /^\s*[{[]/.test(ascii(bytes, 0, 16)),
  },
  { name: 'a protocol buffer (an ONNX or TensorFlow model)', is: (bytes) => bytes[0] === 0x08 || bytes[0] === 0x0a },
];

/**
 * Reads a model, told by its content: `.gatefold`, Keras `.h5` and `.keras`.
 * @throws FILE_FORMAT for anything else, and what the readers throw
 */
export async function readModel(bytes: Uint8Array, options: ReadOptions = {}): Promise<ReadModel> {
  if (isGatefold(bytes)) return { model: readGatefold(bytes), format: { name: 'gatefold', version: '1' } };
  if (isKeras(bytes)) {
    const model = await readKeras(bytes, options);
    return { model, format: { name: 'keras', version: String(model.origin?.kerasVersion) } };
  }
  const known = others.find(({ is }) => is(bytes));
  return fail('FILE_FORMAT', 'this is no model file that can be read', {
    expected: 'a .gatefold file, or a Keras model (.h5, .keras)',
    found:
      known?.name ??
      `bytes ${[...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ') || '(none)'}`,
  });
}

function ascii(bytes: Uint8Array, from: number, count: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + count));
}
