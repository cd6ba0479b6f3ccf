import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import { expectNear } from './compare.ts';

const root = fileURLToPath(new URL('../../../../fixtures/tfjs/', import.meta.url));
const besideIn = (folder: string) => async (path: string) => new Uint8Array(readFileSync(join(root, folder, path)));
const bytesOf = (folder: string) => new Uint8Array(readFileSync(join(root, folder, 'model.json')));

interface Answer {
  readonly shape: number[];
  readonly data: number[];
}

const folders = readdirSync(root).filter((name) => existsSync(join(root, name, 'io.json')));

describe('outputs equal TensorFlow.js', () => {
  it.each(folders)('%s', async (folder) => {
    const { inputs, outputs } = JSON.parse(readFileSync(join(root, folder, 'io.json'), 'utf8')) as {
      inputs: Answer[];
      outputs: Answer[];
    };
    const { model, format } = await readModel(bytesOf(folder), { beside: besideIn(folder) });
    expect(format.name).toBe('tfjs');
    const session = createSession(model, { engine: simd128Engine });
    const given = Object.fromEntries(session.inputs.map(({ name }, i) => [name, Float32Array.from(inputs[i]!.data)]));
    const result = session.run(given, { batch: inputs[0]!.shape[0]! });
    expect(session.outputs.length).toBe(outputs.length);
    session.outputs.forEach(({ name }, i) => {
      expectNear(result[name]!.data, outputs[i]!.data, 1e-5, name);
    });
  });
});
