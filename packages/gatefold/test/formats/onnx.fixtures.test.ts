import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';
import type { ReadOptions } from '../../src/formats/types.ts';
import { difference, type FileArray, fromPort, notesOf, runFile } from './onnx-support.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/onnx/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.onnx'));
const beside = async (path: string) => new Uint8Array(readFileSync(folder + path));
const fixed: Record<string, ReadOptions['fix']> = { 'branches.onnx': { rate: 8 } };

const read = (name: string, options: ReadOptions = {}) =>
  readModel(new Uint8Array(readFileSync(folder + name)), {
    beside,
    ...(fixed[name] ? { fix: fixed[name] } : {}),
    ...options,
  });

/** Inputs and outputs by name, as onnxruntime computed them. */
function arraysOf(name: string, kind: 'in' | 'out'): Record<string, FileArray> {
  const arrays = [...readNpz(readFileSync(folder + name.replace('.onnx', '.npz')))];
  return Object.fromEntries(
    arrays
      .filter(([key]) => key.startsWith(`${kind}.`))
      .map(([key, { shape, data }]) => [
        key.slice(kind.length + 1),
        { shape, data: Float32Array.from(data as ArrayLike<number | bigint>, Number) },
      ]),
  );
}

describe.each(names)('%s', (name) => {
  it('gives what onnxruntime gives', async () => {
    // Given states are part of these vectors: they must stay inputs.
    const { model } = await read(name, { explicitStates: /(forward|layout1)-states/.test(name) });
    const out = runFile(model, arraysOf(name, 'in'));
    const states = (model.origin!.states ?? []) as { output: string }[];
    const references = Object.entries(arraysOf(name, 'out')).filter(
      ([key]) => !states.some(({ output }) => output === key),
    );
    expect(Object.keys(out).sort()).toEqual(references.map(([key]) => key).sort());
    for (const [key, { shape, data }] of references) {
      const ours = fromPort(notesOf(model)[key]!, out[key]!.data, shape);
      expect(difference(ours, data), key).toBeLessThan(1e-5);
    }
  });
});

describe('states that go out and come in', () => {
  it.each(['states-sequence.onnx', 'states-step.onnx'])(
    '%s streams, and its states are the cells’ own',
    async (name) => {
      const { model } = await read(name);
      expect(model.graphs.main!.inputs).toHaveLength(1);
      expect(model.graphs.main!.outputs.map((port) => port.name)).toEqual(['y']);
      const session = createSession(model);
      expect(session.streams).toBe(true);
      const x = Float32Array.from({ length: 6 * session.inputs[0]!.width }, (_, i) => Math.sin(i));
      const whole = session.run(x).y!.data;
      const stream = session.stream();
      const width = session.inputs[0]!.width;
      const steps = Array.from({ length: 6 }, (_, t) => [
        ...stream.step(x.subarray(t * width, (t + 1) * width))!,
      ]).flat();
      expect(steps).toEqual([...whole]);
    },
  );
});
