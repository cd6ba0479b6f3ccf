import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';
import { expectNear } from './compare.ts';

/** What the runtimes answered to the models that interop/write_models.mjs wrote. */
const folder = process.env.GATEFOLD_INTEROP;
if (!folder) throw new Error('GATEFOLD_INTEROP is not set: run `npm run test:interop`');

const fixtures = fileURLToPath(new URL('../../../../fixtures/keras/', import.meta.url));
const runtimes = { keras2: 'h5', keras3: 'keras', 'keras3-h5': 'h5', tfjs: 'tfjs', 'tfjs-int8': 'tfjs-int8' };

/** Keras 3 on PyTorch counts padded steps in the mean of a "same" window that PyTorch cannot pad alike. */
const otherwise: Readonly<Record<string, readonly number[]>> = {
  'keras3/k2-pooling': [11],
  'keras3-h5/k2-pooling': [11],
};

interface Answers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

function answersIn(path: string): (output: number) => Answers {
  if (extname(path) === '.json') {
    const list: Answers[] = JSON.parse(readFileSync(path, 'utf8'));
    return (output) => list[output]!;
  }
  const arrays = readNpz(readFileSync(path));
  return (output) => arrays.get(`out${output}`) as unknown as Answers;
}

/** What Gatefold answers to a file of quantized weights. */
async function ownAnswers(base: string): Promise<Answers[]> {
  const place = join(folder!, 'tfjs-int8', base);
  const beside = async (path: string) => new Uint8Array(readFileSync(join(place, path)));
  const { model } = await readModel(new Uint8Array(readFileSync(join(place, 'model.json'))), { beside });
  const inputs: Answers[] = JSON.parse(readFileSync(join(folder!, 'inputs', `${base}.json`), 'utf8'));
  const session = createSession(model);
  const given = session.inputs.map(({ name }, i) => [name, Float32Array.from(inputs[i]!.data)] as const);
  const result = session.run(Object.fromEntries(given), { batch: inputs[0]!.shape[0]! });
  return session.outputs.map(({ name }) => result[name]!);
}

describe.each(Object.entries(runtimes))('models written for %s', (runtime, format) => {
  const results = join(folder, 'written', runtime);
  const files = readdirSync(results);

  it('were run', () => {
    expect(files.length).toBeGreaterThan(50);
  });

  it.each(files)('%s', async (file) => {
    const base = basename(file, extname(file));
    const { outputs } = JSON.parse(readFileSync(join(folder, format, `${base}.json`), 'utf8')) as { outputs: number[] };
    const expected = readNpz(readFileSync(`${fixtures}${base}.npz`));
    const answers = answersIn(join(results, file));
    const own = runtime === 'tfjs-int8' ? await ownAnswers(base) : undefined;
    outputs.forEach((i, k) => {
      if (otherwise[`${runtime}/${base}`]?.includes(i)) return;
      const reference = own ? own[k]! : (expected.get(`out${i}`) as unknown as Answers);
      expect([...answers(k).shape]).toEqual([...reference.shape]);
      expectNear(answers(k).data, reference.data, 1e-5, `output ${i}`);
    });
  });
});
