import {
  type ArraySource,
  checkSparse,
  describe,
  describeSparsity,
  keptWeights,
  type OperandCoding,
  restore,
  restoreSparsity,
  store,
  type Weight,
} from '../encodings/index.ts';
import { fail, showValue } from '../errors/index.ts';
import { type Model, usesOf, validate } from '../model/index.ts';
import { crc32, sizeOf, utf8Encode } from '../tensor/index.ts';
import { graphFrom } from './graph.ts';
import {
  isObject,
  isSafetensors,
  parseObject,
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from './safetensors.ts';

/** Version of what stands in the metadata; readers refuse a newer one. */
export const containerVersion = 1;

/** Whether the bytes are a safetensors file with a Gatefold graph in it. */
export function isGatefold(bytes: Uint8Array): boolean {
  if (!isSafetensors(bytes)) return false;
  const start = String.fromCharCode(...bytes.subarray(8, 48));
  return /^\{"__metadata__":\{"(crc|gatefold)"/.test(start);
}

/**
 * Writes a model as a `.gatefold` file: a valid safetensors file whose metadata hold the graph as JSON (`gatefold`),
 * that text's CRC-32 (`crc`), and in it the CRC-32 of every tensor. Same model, same bytes.
 */
export function writeGatefold(model: Model): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  // Without a prototype any weight name is just a name.
  const weights: Record<string, unknown> = Object.create(null);
  const checksums: Record<string, string> = Object.create(null);
  for (const [name, weight] of Object.entries(model.weights)) {
    const coded = weight.input.kind !== 'f32';
    checkSparse(weight, name);
    weights[name] = {
      shape: weight.shape,
      ...describe(weight.encoding),
      ...(coded ? { input: weight.input } : {}),
      ...(weight.sparsity ? { sparsity: describeSparsity(weight.sparsity) } : {}),
    };
    for (const { suffix, type, shape, bytes } of store(weight)) {
      const key = name + suffix;
      if (key === '__metadata__' || tensors.has(key)) {
        fail('MODEL_INVALID', 'two arrays of the file would have the same name', {
          place: key,
          hint: 'rename the weight',
        });
      }
      tensors.set(key, { type, shape, bytes });
      checksums[name + suffix] = hex(crc32(bytes));
    }
  }
  const { name, graphs, metadata, origin } = model;
  const text = JSON.stringify({
    version: containerVersion,
    name,
    graphs,
    weights,
    metadata,
    ...(origin ? { origin } : {}),
    checksums,
  });
  const bytes = writeSafetensors({ metadata: { crc: hex(crc32(utf8Encode(text))), gatefold: text }, tensors });
  const room = new SparseRoom(bytes.length);
  for (const [key, weight] of Object.entries(model.weights)) if (weight.sparsity) room.take(weight.shape, key);
  return bytes;
}

/**
 * Weights that were removed take memory, but no bytes of the file, which therefore must not claim too many: all sparse matrices of a
 * file together have room for 16 million weights and 256 more for each of its bytes.
 */
class SparseRoom {
  private left: number;

  constructor(bytes: number) {
    this.left = Math.min(2 ** 28, 2 ** 24 + 256 * bytes);
  }

  take(shape: readonly number[], place: string): void {
    this.left -= sizeOf(shape);
    if (this.left < 0) {
      fail('FILE_TOO_LARGE', 'the sparse weights are too large for what the file holds of them', {
        place,
        found: `shape [${shape.join(', ')}]`,
        hint: 'store the matrix without sparsity',
      });
    }
  }
}

/**
 * Reads a `.gatefold` file. Everything is checked: checksums, lengths, values, shapes; nothing in it is executed.
 * @throws FILE_*, MODEL_*
 */
export function readGatefold(bytes: Uint8Array): Model {
  const { metadata, tensors } = readSafetensors(bytes);
  const text =
    metadata.gatefold ??
    fail('FILE_FORMAT', 'a safetensors file without a Gatefold graph', {
      expected: 'metadata "gatefold"',
      found: Object.keys(metadata).join(', ') || 'no metadata',
      hint: 'a plain state dict has no graph: convert it with its architecture first',
    });
  const encoded = utf8Encode(text);
  if (hex(crc32(encoded)) !== metadata.crc) {
    fail('FILE_CORRUPT', 'the graph does not match its checksum', { place: '__metadata__.gatefold' });
  }
  const header = parseObject(encoded, '__metadata__.gatefold');
  if (header.version !== containerVersion) {
    fail('FILE_VERSION', 'the file is of another version', {
      expected: `version ${containerVersion}`,
      found: showValue(header.version),
      hint: 'use a newer Gatefold to read it',
    });
  }
  const sums = objectAt(header, 'checksums');
  const used = new Set<string>();
  const room = new SparseRoom(bytes.length);
  const weights = mapObject(objectAt(header, 'weights'), (entry, name) =>
    weightFrom(entry, name, tensors, sums, used, room),
  );
  const unused = [...tensors.keys()].find((name) => !used.has(name));
  if (unused !== undefined) fail('FILE_UNUSED', 'the file holds a tensor that no weight uses', { place: unused });
  const name = typeof header.name === 'string' ? header.name : fail('FILE_CORRUPT', 'the model has no name');
  const model = validate({
    name,
    graphs: mapObject(objectAt(header, 'graphs'), (graph, key) => graphFrom(graph, `graphs.${key}`)),
    weights,
    metadata: objectAt(header, 'metadata'),
    ...(header.origin === undefined ? {} : { origin: objectAt(header, 'origin') }),
  });
  const wanted = new Set(usesOf(model).map(({ weight }) => weight));
  const idle = Object.keys(weights).find((key) => !wanted.has(key));
  if (idle !== undefined) fail('FILE_UNUSED', 'the file holds a weight that no node uses', { place: idle });
  return model;
}

function weightFrom(
  entry: unknown,
  name: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  sums: Record<string, unknown>,
  used: Set<string>,
  room: SparseRoom,
): Weight {
  const place = `weights.${name}`;
  if (!isObject(entry)) fail('FILE_CORRUPT', 'malformed weight', { place });
  const shape = entry.shape;
  const wholes = Array.isArray(shape) && shape.length > 0 && shape.every((n) => Number.isSafeInteger(n) && n > 0);
  if (!wholes || sizeOf(shape as number[]) > 2 ** 31)
    fail('FILE_CORRUPT', 'malformed shape', { place, found: showValue(shape) });
  const source: ArraySource = {
    place: name,
    take(suffix, type, count) {
      const key = name + suffix;
      const tensor = tensors.get(key) ?? fail('FILE_CORRUPT', 'a tensor is missing', { place: key });
      used.add(key);
      if (tensor.type !== type || sizeOf(tensor.shape) !== count) {
        fail('FILE_CORRUPT', 'a tensor does not fit its weight', {
          place: key,
          expected: `${type}[${count}]`,
          found: `${tensor.type}[${tensor.shape.join(', ')}]`,
        });
      }
      if (hex(crc32(tensor.bytes)) !== sums[key]) {
        fail('FILE_CORRUPT', 'a tensor does not match its checksum', { place: key });
      }
      return tensor.bytes;
    },
  };
  const input = codingFrom(entry.input, place);
  if (entry.sparsity === undefined) {
    return { shape: shape as number[], encoding: restore(entry, shape as number[], source), input };
  }
  if (!isObject(entry.sparsity)) fail('FILE_CORRUPT', 'malformed sparsity', { place });
  room.take(shape as number[], place);
  const sparsity = restoreSparsity(entry.sparsity, shape as number[], source);
  const kept = keptWeights({ shape: shape as number[], sparsity });
  return { shape: shape as number[], encoding: restore(entry, shape as number[], source, kept), input, sparsity };
}

function codingFrom(value: unknown, place: string): OperandCoding {
  if (value === undefined) return { kind: 'f32' };
  const { kind, zero, scale } = isObject(value) ? value : {};
  const top = kind === 'u7' ? 127 : kind === 'u14' ? 16383 : -1;
  const zeroFits = Number.isInteger(zero) && (zero as number) >= 0 && (zero as number) <= top;
  const scaleFits = scale === 'dynamic' || (typeof scale === 'number' && scale > 0 && Number.isFinite(scale));
  if (top < 0 || !zeroFits || !scaleFits) {
    fail('FILE_CORRUPT', 'malformed operand coding', { place: `${place}.input`, found: showValue(value) });
  }
  return { kind: kind as 'u7' | 'u14', zero: zero as number, scale: scale as number | 'dynamic' };
}

function objectAt(from: Record<string, unknown>, key: string): Record<string, unknown> {
  const value = from[key];
  return isObject(value)
    ? value
    : fail('FILE_CORRUPT', `"${key}" must be an object`, { place: '__metadata__.gatefold' });
}

function mapObject<T>(from: Record<string, unknown>, make: (value: unknown, key: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, make(value, key)]));
}

function hex(n: number): string {
  return n.toString(16).padStart(8, '0');
}
