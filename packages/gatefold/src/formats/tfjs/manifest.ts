import { fail, float16To, sizeOf } from '@gatefold/runtime';
import { isJson, type Json } from '../keras/config.ts';
import { show } from '../keras/json.ts';
import type { FileArray } from '../keras/supply.ts';

/** Bounds that no model of layers comes near, in weights, files, dimensions and bytes. */
const most = { weights: 100_000, paths: 10_000, dimensions: 8, bytes: 2 ** 31 };

/** How a weight stands in its group: `q·scale + min`, float16, or plainly. */
interface Quantization {
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  readonly scale: number;
  readonly min: number;
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization: Quantization | undefined;
  /** Of an optimizer: passed over. */
  readonly idle: boolean;
}

const sizes: Readonly<Record<string, number>> = { float32: 4, int32: 4, uint16: 2, float16: 2, uint8: 1, bool: 1 };

/**
 * The arrays of a `weightsManifest` by their names. `beside` reads a shard.
 * @throws FILE_CORRUPT, FILE_TRUNCATED, FILE_UNUSED, FILE_TOO_LARGE, MODEL_UNSUPPORTED
 */
export async function readManifest(
  manifest: unknown,
  beside: (path: string) => Promise<Uint8Array>,
): Promise<Map<string, FileArray>> {
  const place = 'weightsManifest';
  if (!Array.isArray(manifest)) return fail('FILE_CORRUPT', 'the file has no list of weights', { place });
  const groups = manifest.map((group, i) => groupFrom(group, `${place}[${i}]`));
  const paths = groups.flatMap((group) => group.paths);
  const entries = groups.flatMap((group) => group.entries);
  checkCount(entries.length, most.weights, place, 'weights');
  checkCount(paths.length, most.paths, place, 'files of weights');
  const odd = repeated(paths) ?? repeated(entries.map(({ name }) => name));
  if (odd !== undefined) fail('FILE_CORRUPT', 'a weight or file is listed twice', { place: odd });
  const arrays = new Map<string, FileArray>();
  for (const group of groups) {
    const bytes = await joined(group.paths, beside, group.bytes);
    let at = 0;
    for (const entry of group.entries) {
      const own = bytes.subarray(at, at + bytesOf(entry));
      at += own.length;
      if (!entry.idle) arrays.set(entry.name, { shape: entry.shape, read: () => decode(entry, own) });
    }
  }
  return arrays;
}

function checkCount(found: number, limit: number, place: string, what: string): void {
  if (found > limit) {
    fail('FILE_TOO_LARGE', `the file lists too many ${what}`, {
      place,
      expected: `at most ${limit}`,
      found: `${found}`,
    });
  }
}

function repeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

function groupFrom(group: unknown, place: string): { paths: string[]; entries: Entry[]; bytes: number } {
  if (!isJson(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights)) {
    return fail('FILE_CORRUPT', 'a group of weights is malformed', { place, expected: '{paths, weights}' });
  }
  const { paths, weights } = group;
  if (!paths.every((path): path is string => typeof path === 'string' && path !== '')) {
    return fail('FILE_CORRUPT', 'the paths of a group of weights are no texts', { place });
  }
  const entries = weights.map((weight: unknown, i) => entryFrom(weight, `${place}.weights[${i}]`));
  const bytes = entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
  if (bytes > most.bytes) {
    fail('FILE_TOO_LARGE', 'the weights are too large', {
      place,
      expected: `at most ${most.bytes}`,
      found: `${bytes}`,
    });
  }
  return { paths, entries, bytes };
}

function entryFrom(weight: unknown, at: string): Entry {
  if (!isJson(weight) || typeof weight.name !== 'string')
    return fail('FILE_CORRUPT', 'a weight has no name', { place: at });
  const { name, shape, dtype, group } = weight;
  const place = `${at} "${name.slice(0, 120)}"`;
  if (
    !Array.isArray(shape) ||
    shape.length > most.dimensions ||
    !shape.every((n) => Number.isInteger(n) && n >= 0) ||
    sizeOf(shape) > most.bytes
  ) {
    return fail('FILE_CORRUPT', 'the shape of a weight is none', { place, found: show(shape) });
  }
  if (typeof dtype !== 'string' || !['float32', 'int32', 'uint8', 'bool'].includes(dtype)) {
    return fail('MODEL_UNSUPPORTED', `weights of type ${show(dtype)} are not read`, {
      place,
      expected: 'float32 | int32 | uint8 | bool',
    });
  }
  const quantization =
    weight.quantization === undefined ? undefined : quantizationFrom(weight.quantization, dtype, place);
  return { name, shape, dtype, quantization, idle: group === 'optimizer' };
}

function quantizationFrom(value: unknown, dtype: string, place: string): Quantization {
  const stored: Json = isJson(value) ? value : fail('FILE_CORRUPT', 'a quantization is malformed', { place });
  if (dtype !== 'float32' && dtype !== 'int32') {
    fail('FILE_CORRUPT', `a quantized weight of type ${dtype}`, { place, expected: 'float32 | int32' });
  }
  if (stored.dtype === 'float16') {
    if (dtype !== 'float32') fail('FILE_CORRUPT', 'float16 stands for a whole number', { place });
    return { dtype: 'float16', scale: 1, min: 0 };
  }
  const { dtype: coded, scale, min } = stored;
  if (coded !== 'uint8' && coded !== 'uint16') {
    return fail('MODEL_UNSUPPORTED', `quantization to ${show(coded)} is not read`, {
      place,
      expected: 'uint8 | uint16 | float16',
    });
  }
  if (typeof scale !== 'number' || typeof min !== 'number' || !Number.isFinite(scale) || !Number.isFinite(min)) {
    return fail('FILE_CORRUPT', 'a quantization lacks its scale or minimum', { place, found: show(stored) });
  }
  return { dtype: coded, scale, min };
}

function bytesOf({ shape, dtype, quantization }: Entry): number {
  return sizeOf(shape) * sizes[quantization?.dtype ?? dtype]!;
}

/** The files of a group one after the other, which must be as long as its weights. */
async function joined(
  paths: readonly string[],
  beside: (path: string) => Promise<Uint8Array>,
  expected: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const path of paths) {
    const part = await beside(path);
    length += part.length;
    parts.push(part);
    if (length > expected) break;
  }
  if (length !== expected) {
    const [code, what] =
      length < expected
        ? (['FILE_TRUNCATED', 'the files of the weights end too early'] as const)
        : (['FILE_UNUSED', 'the files of the weights hold more than the weights'] as const);
    const found = length < expected ? `${length} bytes` : `${length} bytes or more`;
    fail(code, what, {
      place: paths.slice(0, 4).join(', ') || 'weightsManifest',
      expected: `${expected} bytes`,
      found,
    });
  }
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function decode({ shape, dtype, quantization }: Entry, bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(sizeOf(shape));
  const read = readers[quantization?.dtype ?? dtype]!;
  for (let i = 0; i < out.length; i++) out[i] = read(view, i);
  if (!quantization || quantization.dtype === 'float16') return out;
  const { scale, min } = quantization;
  for (let i = 0; i < out.length; i++) {
    // As TensorFlow.js: one rounding to float32 at the end.
    const value = out[i]! * scale + min;
    out[i] = dtype === 'int32' ? Math.round(value) : value;
  }
  return out;
}

const readers: Readonly<Record<string, (view: DataView, i: number) => number>> = {
  float32: (view, i) => view.getFloat32(i * 4, true),
  int32: (view, i) => view.getInt32(i * 4, true),
  uint16: (view, i) => view.getUint16(i * 2, true),
  float16: (view, i) => float16To(view.getUint16(i * 2, true)),
  uint8: (view, i) => view.getUint8(i),
  bool: (view, i) => view.getUint8(i),
};
