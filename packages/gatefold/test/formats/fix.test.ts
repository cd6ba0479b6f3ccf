import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession, type Model, simd128Engine, writeGatefold } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { readArchitecture, readModel } from '../../src/formats/index.ts';
import type { ReadOptions } from '../../src/formats/types.ts';
import { fixtures } from './fixtures.ts';
import { named, openSteps, wavesOf } from './waves.ts';

const fixtureFolder = fileURLToPath(new URL('../../../../fixtures/', import.meta.url));

interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly options?: ReadOptions;
}

function files(folder: string, pattern: RegExp): Sample[] {
  return readdirSync(join(fixtureFolder, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file))
    .map((file) => {
      const path = join(fixtureFolder, folder, file);
      const beside = async (other: string) => new Uint8Array(readFileSync(join(path, '..', other)));
      return { name: `${folder}/${file}`, bytes: new Uint8Array(readFileSync(path)), options: { beside } };
    });
}

const samples: Sample[] = [
  ...fixtures().map(({ name, bytes, architecture }) => ({
    ...{ name: `keras/${name}`, bytes, options: architecture === undefined ? {} : { architecture } },
  })),
  ...files('tfjs', /model\.json$/),
  ...files('charlm', /\.h5$/),
  ...files('tflite', /\.tflite$/),
  ...files('torch', /^(?!evil|cells|deep).*\.pt$/),
];

const openInputs = ({ graphs }: Model) => Object.values(graphs)[0]!.inputs.filter(({ shape }) => shape[1] === 'time');

/** Outputs of 6 steps. */
function run(model: Model): (Float32Array | Int32Array)[] {
  const session = createSession(model, { engine: simd128Engine });
  const made = session.run(named(session, wavesOf(session)));
  return session.outputs.map(({ name }) => made[name]!.data);
}

describe('a fixed number of steps', () => {
  it.each(samples.map((sample) => [sample.name, sample] as const))('%s', async (_, { bytes, options }) => {
    const { model } = await readModel(bytes, options);
    const read = async (from: Uint8Array, time: number) => (await readModel(from, { ...options, fix: { time } })).model;
    if (openInputs(model).length === 0) {
      await expect(read(bytes, 999)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
      return;
    }
    const expected = run(model);
    for (const from of [bytes, writeGatefold(model)]) {
      const fixed = await read(from, openSteps);
      expect(openInputs(fixed)).toEqual([]);
      expect(run(fixed)).toEqual(expected);
    }
  });
});

const architecture = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));

it('of a Keras network that needs it to be read', async () => {
  const bytes = architecture({
    class_name: 'Sequential',
    config: {
      name: 'flat',
      layers: [
        { class_name: 'InputLayer', config: { name: 'x', batch_input_shape: [null, null, 3] } },
        {
          class_name: 'GRU',
          config: { name: 'gru', units: 4, return_sequences: true, trainable: true, dtype: 'float32' },
        },
        { class_name: 'Flatten', config: { name: 'flatten', trainable: true } },
        { class_name: 'Dense', config: { name: 'dense', units: 2, trainable: true } },
      ],
    },
    keras_version: '2.15.0',
  });
  await expect(readArchitecture(bytes)).rejects.toThrow(/flattens an open number of steps[\s\S]*--fix time=number/);
  for (const fix of [{ time: 7 }, { 'x[1]': 7 }]) {
    const { weights } = await readArchitecture(bytes, { fix });
    expect(Object.values(weights).map(({ shape }) => shape)).toContainEqual([2, 28]);
  }
});

it.each<[Required<ReadOptions>['fix'], RegExp]>([
  [{ steps: 5 }, /--fix steps\n.*time, x\[1\]/],
  [{ 'y[1]': 5 }, /--fix y\[1\]/],
  [{ time: 0 }, /positive whole number/],
  [{ time: 2.5 }, /positive whole number/],
  [{ time: { shape: [1], data: [5] } }, /positive whole number/],
])('%j is refused', async (fix, message) => {
  const { graphs } = smallModel(1, cellChoices.lstm!);
  const bytes = writeGatefold(smallModel(1, cellChoices.lstm!));
  expect(graphs.main!.inputs[0]!.shape).toEqual(['batch', 'time', expect.anything()]);
  await expect(readModel(bytes, { fix })).rejects.toThrow(message);
});
