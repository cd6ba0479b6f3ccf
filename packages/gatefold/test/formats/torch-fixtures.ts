import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession, type Model, simd128Engine } from '@gatefold/runtime';
import { readNpz } from '../../src/data/npz.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/torch/', import.meta.url));

export const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(folder + name));
export const textOf = (name: string): string => readFileSync(folder + name, 'utf8');

export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The arrays of an npz as float32. */
export function arraysOf(name: string): Map<string, Values> {
  return new Map(
    [...readNpz(fileOf(name))].map(([key, { shape, data }]) => [key, { shape, data: Float32Array.from(data, Number) }]),
  );
}

/** The largest difference of an output to what is expected, relative above 1; every output in the model's order. */
export function worst(model: Model, input: Values, expected: readonly Values[]): number {
  const session = createSession(model, { engine: simd128Engine });
  const result = session.run({ [session.inputs[0]!.name]: input.data }, { batch: input.shape[0]! });
  let error = 0;
  session.outputs.forEach(({ name }, i) => {
    const { data } = result[name]!;
    const reference = expected[i]!;
    if (data.length !== reference.data.length) throw new Error(`${name}: ${data.length} numbers`);
    data.forEach((value, k) => {
      const distance = Math.abs(value - reference.data[k]!) / Math.max(1, Math.abs(reference.data[k]!));
      error = Math.max(error, Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance);
    });
  });
  return error;
}
