import { fail, GatefoldError, type Model, sizeOf, utf8Decode, validate } from '@gatefold/runtime';
import { gateMatrix, gateRows, type PlainArray } from '../gates.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { jsonHasKeys } from '../json-text.ts';
import { isJson, type Json } from '../keras/config.ts';
import { parseJson, show } from '../keras/json.ts';
import { transposed } from '../keras/layer.ts';
import type { ReadOptions } from '../types.ts';

type Beside = NonNullable<ReadOptions['beside']>;

/** TensorFlow's BasicLSTMCell orders its gates input, candidate, forget, output: the position of each of ours. */
const basicLstm = [0, 2, 3, 1];
/** It adds this to the forget gate when it runs; the file holds the bias without it. */
const forgetBias = 1;
const mostNumbers = 2 ** 28;

/** Whether the bytes are the `manifest.json` of an ml5 charRNN. */
export function isMl5(bytes: Uint8Array): boolean {
  return jsonHasKeys(bytes, '[^"]{0,200}cell_0[^"]{0,200}', 'filename');
}

/** Float32 arrays of the manifest, each a file of its own, and which were taken. */
class Arrays {
  private readonly manifest: Json;
  private readonly beside: Beside;
  private readonly left: Set<string>;

  constructor(manifest: Json, beside: Beside) {
    this.manifest = manifest;
    this.beside = beside;
    // The step counter of the training.
    this.left = new Set(Object.keys(manifest).filter((name) => name !== 'Variable' && name !== 'global_step'));
  }

  /** The name that ends so, where there is one. */
  find(pattern: RegExp): string | undefined {
    return [...this.left].find((name) => pattern.test(name));
  }

  async take(pattern: RegExp, dimensions: number): Promise<PlainArray> {
    const name = this.find(pattern);
    if (name === undefined) return fail('FILE_CORRUPT', 'the manifest lacks an array', { place: pattern.source });
    this.left.delete(name);
    const entry = this.manifest[name];
    const { filename, shape } = isJson(entry) ? entry : {};
    if (
      typeof filename !== 'string' ||
      !Array.isArray(shape) ||
      shape.length !== dimensions ||
      !shape.every((n) => Number.isInteger(n) && n > 0) ||
      sizeOf(shape) > mostNumbers
    ) {
      return fail('FILE_CORRUPT', 'an entry of the manifest is malformed', { place: name, found: show(entry) });
    }
    const bytes = await this.beside(filename);
    const expected = sizeOf(shape) * 4;
    if (bytes.length !== expected) {
      fail(bytes.length < expected ? 'FILE_TRUNCATED' : 'FILE_UNUSED', 'a file of weights has another length', {
        place: filename,
        expected: `${expected} bytes`,
        found: `${bytes.length} bytes`,
      });
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => view.getFloat32(i * 4, true)) };
  }

  checkUsed(): void {
    const [odd] = this.left;
    if (odd !== undefined)
      fail('FILE_UNUSED', 'the manifest holds an array that the model has no place for', { place: odd });
  }
}

/**
 * Reads a character model of ml5: an embedding, a stack of TensorFlow's basic LSTM cells, softmax over the characters.
 * @throws FILE_*, MODEL_SHAPE, MODEL_VALUE
 */
export async function readMl5(bytes: Uint8Array, { beside, name }: ReadOptions): Promise<Model> {
  const text = utf8Decode(bytes) ?? fail('FILE_CORRUPT', 'the text is not UTF-8', { place: 'manifest.json' });
  const manifest = parseJson(text, 'manifest.json');
  if (!isJson(manifest)) return fail('FILE_CORRUPT', 'the file holds no object', { place: 'manifest.json' });
  if (!beside) {
    return fail('FILE_READ', 'the weights stand in files beside this one', {
      place: 'manifest.json',
      hint: 'give `beside`, which reads them',
    });
  }
  const arrays = new Arrays(manifest, beside);
  const builder = new GraphBuilder();
  builder.addInput({ name: 'ids', shape: ['batch', 'time'], dtype: 'int32' });
  const table = await arrays.take(/(^|\/)embedding$/, 2);
  let y = builder.add('embedding', 'embedding', { x: 'ids' }, {}, { table: builder.weight('embedding', () => table) })
    .y!;
  for (let i = 0; arrays.find(cellName(i, 'kernel|weights')); i++) y = await addCell(builder, arrays, i, y);
  y = await addSoftmax(builder, arrays, y);
  arrays.checkUsed();
  const graph = builder.graph([{ name: 'probabilities', value: y }]);
  return validate({
    name: name ?? 'model',
    graphs: { main: graph },
    weights: builder.weightsOf(graph),
    metadata: await vocabularyBeside(beside, table.shape[0]!),
    origin: { format: 'ml5' },
  });
}

function cellName(i: number, role: string): RegExp {
  return new RegExp(`(^|/)cell_${i}/(.*/)?(${role})$`);
}

async function addCell(builder: GraphBuilder, arrays: Arrays, i: number, x: string): Promise<string> {
  const kernel = await arrays.take(cellName(i, 'kernel|weights'), 2);
  const bias = await arrays.take(cellName(i, 'bias|biases'), 1);
  const features = builder.type(x).shape[0]!;
  const [rows, columns] = kernel.shape as [number, number];
  const units = rows - features;
  const name = `cell_${i}`;
  checkShape(`${name}/kernel`, kernel.shape, [features + columns / 4, columns]);
  checkShape(`${name}/bias`, bias.shape, [columns]);
  const split = features * columns;
  const part = (role: string, data: Float32Array, from: number) =>
    builder.weight(`${name}/${role}`, () => gateMatrix({ shape: [from, columns], data }, basicLstm, units));
  const weights = {
    W: part('W', kernel.data.subarray(0, split), features),
    U: part('U', kernel.data.subarray(split), units),
    b: builder.weight(`${name}/b`, () => {
      const { shape, data } = gateRows(bias, basicLstm, units);
      return { shape, data: data.map((value, k) => (k >= units && k < 2 * units ? value + forgetBias : value)) };
    }),
  };
  const attributes = { cell: 'lstm', units, activation: ['tanh'], recurrentActivation: ['sigmoid'] };
  return builder.add('recurrent', name, { x }, attributes, weights).y!;
}

async function addSoftmax(builder: GraphBuilder, arrays: Arrays, x: string): Promise<string> {
  const kernel = await arrays.take(/softmax_w$/, 2);
  const bias = await arrays.take(/softmax_b$/, 1);
  checkShape('softmax_w', kernel.shape, [builder.type(x).shape[0]!, bias.shape[0]!]);
  const weights = {
    kernel: builder.weight('softmax/kernel', () => transposed(kernel)),
    bias: builder.weight('softmax/bias', () => bias),
  };
  const logits = builder.add('dense', 'logits', { x }, {}, weights).y!;
  return builder.add('softmax', 'softmax', { x: logits }).y!;
}

function checkShape(place: string, shape: readonly number[], expected: readonly number[]): void {
  if (shape.join() === expected.join()) return;
  fail('MODEL_SHAPE', 'an array does not fit its place', { place, expected: `[${expected}]`, found: `[${shape}]` });
}

/** The characters by their ids, of `vocab.json` where it stands beside. */
async function vocabularyBeside(beside: Beside, size: number): Promise<{ vocabulary?: readonly string[] }> {
  let bytes: Uint8Array;
  try {
    bytes = await beside('vocab.json');
  } catch (error) {
    if (error instanceof GatefoldError && error.code === 'FILE_READ') return {};
    throw error;
  }
  const ids = parseJson(utf8Decode(bytes) ?? '', 'vocab.json');
  const vocabulary = Array.from({ length: size }, () => '');
  const entries = isJson(ids) ? Object.entries(ids) : [];
  for (const [character, id] of entries) {
    if (!(Number.isInteger(id) && (id as number) >= 0 && (id as number) < size) || vocabulary[id as number] !== '')
      fail('FILE_CORRUPT', 'the vocabulary does not number the characters', { place: 'vocab.json', found: show(id) });
    vocabulary[id as number] = character;
  }
  if (entries.length !== size)
    fail('FILE_CORRUPT', 'the vocabulary has another size', {
      place: 'vocab.json',
      expected: `${size}`,
      found: `${entries.length}`,
    });
  return { vocabulary };
}
