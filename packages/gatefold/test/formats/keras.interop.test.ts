import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';

/** Keras' own predictions, which interop/run.sh makes: an npz per model, named by the model's path with __ for /. */
const folder = process.env.GATEFOLD_INTEROP;
if (!folder) throw new Error('GATEFOLD_INTEROP is not set: run `npm run test:interop`');

const roots = [fileURLToPath(new URL('../../../../', import.meta.url)), process.env.GATEFOLD_CORPUS ?? '.'];

describe('agrees with Keras', () => {
  it.each(readdirSync(folder).filter((file) => file.endsWith('.npz')))('%s', async (file) => {
    const path = basename(file, '.npz').replaceAll('__', '/');
    const model = roots.map((root) => join(root, path)).find((candidate) => existsSync(candidate));
    if (!model) throw new Error(`the model of ${file} is gone`);
    const arrays = readNpz(readFileSync(join(folder, file)));
    const read = await readModel(new Uint8Array(readFileSync(model)), { name: basename(model) });
    const session = createSession(read.model);

    const inputs = session.inputs.map(({ name }, i) => [name, toFloat32(arrays.get(`in${i}`)!.data)] as const);
    const result = session.run(Object.fromEntries(inputs), { batch: arrays.get('in0')!.shape[0]! });

    expect(arrays.has(`out${session.outputs.length}`)).toBe(false);
    session.outputs.forEach(({ name }, i) => {
      const expected = arrays.get(`out${i}`)!;
      expect(result[name]!.shape).toEqual(expected.shape);
      expect(worst(result[name]!.data, toFloat32(expected.data))).toBeLessThanOrEqual(1e-5);
    });
  });
});

function toFloat32(values: ArrayLike<number | bigint>): Float32Array {
  return Float32Array.from(values, Number);
}

/** The largest |y - reference| / max(1, |reference|). */
function worst(y: ArrayLike<number>, reference: ArrayLike<number>): number {
  let error = 0;
  for (let i = 0; i < reference.length; i++) {
    const distance = Math.abs(y[i]! - reference[i]!) / Math.max(1, Math.abs(reference[i]!));
    if (Number.isNaN(distance)) return Number.POSITIVE_INFINITY;
    error = Math.max(error, distance);
  }
  return error;
}
