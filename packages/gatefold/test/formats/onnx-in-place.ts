import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type PruneOptions, prune, type QuantizeOptions, quantize } from '../../src/compress/index.ts';
import { readNpz } from '../../src/data/npz.ts';
import { readParts, writerFor } from '../../src/formats/index.ts';
import type { FileParts, WrittenModel } from '../../src/formats/types.ts';
import type { Given } from './onnxruntime.ts';

/** Files with operators that Gatefold has no meaning for: see `in_place` of interop/make_onnx_fixtures.py. */
export const inPlaceFixtures = ['custom', 'old', 'branches'] as const;

const path = (name: string) => fileURLToPath(new URL(`../../../../fixtures/onnx/in-place/${name}`, import.meta.url));

export const inPlaceFile = (name: string): Uint8Array => new Uint8Array(readFileSync(path(`${name}.onnx`)));

/**
 * Fixtures of LSTM, GRU and RNN that the reader of whole models takes with matrices as they stand: those of coupled gates it
 * turns around.
 */
export const wholeFiles = (): [name: string, source: Uint8Array][] =>
  readdirSync(path('..'))
    .filter((name) => /^(lstm|gru|rnn|stacked|conv|states)-.*\.onnx$/.test(name) && !name.includes('coupled'))
    .map((name) => [name, inPlaceFile(`../${name.slice(0, -5)}`)]);

export interface Compressed extends WrittenModel {
  readonly parts: FileParts;
  readonly model: FileParts['model'];
}

export async function quantized(source: Uint8Array, options: QuantizeOptions): Promise<Compressed> {
  const parts = await readParts(source);
  const { model } = quantize(parts.model, options);
  return { parts, model, ...(await writerFor('onnx', 'test').write(model, { source })) };
}

export async function pruned(source: Uint8Array, options: PruneOptions): Promise<Compressed> {
  const parts = await readParts(source);
  const { model } = await prune(parts.model, options, undefined, {});
  return { parts, model, ...(await writerFor('onnx', 'test').write(model, { source })) };
}

/** Inputs of a fixture, and its outputs by onnxruntime. */
export function inPlaceArrays(name: string): { given: Record<string, Given>; outputs: Record<string, Float32Array> } {
  const given: Record<string, Given> = {};
  const outputs: Record<string, Float32Array> = {};
  for (const [key, { shape, data }] of readNpz(readFileSync(path(`${name}.npz`)))) {
    const numbers = Array.from(data as ArrayLike<number>, Number);
    // A scalar of a fixture is a truth.
    if (key.startsWith('in.')) {
      given[key.slice(3)] = { shape, data: numbers, ...(shape.length === 0 ? { type: 'bool' } : {}) };
    } else outputs[key.slice(4)] = Float32Array.from(numbers);
  }
  return { given, outputs };
}
