import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession, decode, denseWeight, type Model } from '@gatefold/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prune, quantize } from '../../src/compress/index.ts';
import { readNpz, writeNpz } from '../../src/data/npz.ts';
import { architectureTemplate, readModel, rereadModel, writerFor } from '../../src/formats/index.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const python = process.env.GATEFOLD_TORCH ?? join(root, 'interop/.venv-keras3/bin/python');
const corpus = process.env.GATEFOLD_CORPUS;
const folder = mkdtempSync(join(tmpdir(), 'gatefold-torch-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file for PyTorch, and the model that must compute the same. */
interface Case {
  readonly name: string;
  readonly file: string;
  readonly kind: string;
  readonly model: Model;
}

const cases: Case[] = [];
const sourceOf = (path: string) => new Uint8Array(readFileSync(path));
const fixture = (name: string) => join(root, 'fixtures/torch', name);

/** Reads the model, as its template says where that is complete but for the functions of the head. */
async function read(path: string): Promise<Model> {
  const source = sourceOf(path);
  const isOpen = architectureTemplate(source).includes('To decide');
  const { model } = await readModel(source, isOpen ? { architecture: architectureTemplate(source) } : {});
  return model;
}

async function addWritten(
  path: string,
  kind: string,
  extension: string,
  change: (model: Model) => Model | Promise<Model> = (model) => model,
): Promise<void> {
  const source = sourceOf(path);
  const model = await change(path.includes('digits') ? (await readModel(source)).model : await read(path));
  const { bytes } = await writerFor(extension, '-o').write(model, { source });
  const file = join(folder, `${cases.length}.${extension}`);
  writeFileSync(file, bytes);
  // PyTorch computes with the float weights of the file, not with integers.
  cases.push({
    name: `${path.split('/').at(-1)} as ${extension}`,
    file,
    kind,
    model: (await rereadModel(bytes, model)).model,
  });
}

const pruned = async (model: Model) => (await prune(model, { threshold: 0.1 }, undefined, {})).model;
const int6 = (model: Model) => quantize(model, { bits: 6 }).model;

/** The last class taken away: shapes change. */
function smaller(model: Model): Model {
  const cut = (name: string, shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, denseWeight(shape, decode(model.weights[name]!).slice(0, size))];
  };
  return {
    ...model,
    weights: { ...model.weights, ...Object.fromEntries([cut('fc/kernel', [3, 12]), cut('fc/bias', [3])]) },
  };
}

/** Seeded numbers, or ids, of the shape that the model takes. */
function inputOf(model: Model): { shape: number[]; data: Float32Array | Int32Array } {
  const port = Object.values(model.graphs)[0]!.inputs[0]!;
  const shape = port.shape.map((dim) => (dim === 'batch' ? 2 : dim === 'time' ? 9 : dim));
  const size = shape.reduce((a, b) => a * b, 1);
  const numbers = Array.from({ length: size }, (_, i) => Math.sin(i * 1.7) * 1.5);
  return port.dtype === 'int32'
    ? { shape, data: Int32Array.from(numbers, (value) => Math.abs(Math.round(value * 6))) }
    : { shape, data: Float32Array.from(numbers) };
}

beforeAll(async () => {
  for (const change of [undefined, int6]) {
    for (const file of ['state.pt', 'legacy.pt', 'checkpoint.pt', 'lightning.ckpt', 'views.pt', 'parts.pt'])
      await addWritten(fixture(file), 'classifier', 'pt', change);
    for (const file of ['module.pt', 'module-legacy.pt', 'module-deep.pt', 'module-lstm.pt'])
      await addWritten(fixture(file), 'module', 'pt', change);
    await addWritten(fixture('script.pt'), 'script', 'pt', change);
    await addWritten(fixture('tied.pt'), 'tagger', 'pt', change);
    await addWritten(fixture('module.pt'), 'classifier', 'safetensors', change);
    await addWritten(fixture('module-deep.pt'), 'deep', 'safetensors', change);
    await addWritten(fixture('state.safetensors'), 'classifier', 'pt', change);
    await addWritten(join(root, 'examples/digits/model/digits-lstm128.h5'), 'digits', 'pt', change);
  }
  await addWritten(fixture('module.pt'), 'smaller', 'pt', smaller);
  for (const [file, kind] of [
    ['state.pt', 'classifier'],
    ['checkpoint.pt', 'classifier'],
    ['module.pt', 'module'],
  ] as const) {
    await addWritten(fixture(file), kind, 'pt', pruned);
  }
  if (corpus) {
    const real: [string, string][] = [
      ['felixchenfy/kaggle.ckpt', 'speech'],
      ['wind-power/bilstm_optuna_best.pt', 'wind-both'],
      ['wind-power/bilstm_ga_best_noclass.pt', 'wind-stack'],
      ['wind-power/glstm_noclass_best.pth', 'wind-three'],
    ];
    for (const [path, kind] of real) {
      const file = join(corpus, 'models', path);
      cases.push({ name: path, file, kind, model: await read(file) });
      await addWritten(file, kind, 'pt', int6);
    }
  }
  const jobs = cases.map(({ file, kind, model }, i) => {
    const input = join(folder, `in${i}.npz`);
    writeFileSync(input, writeNpz(new Map([['in', inputOf(model)]])));
    return { file, model: kind, input, output: join(folder, `out${i}.npz`) };
  });
  writeFileSync(join(folder, 'jobs.json'), JSON.stringify(jobs));
  if (!existsSync(python)) throw new Error(`no PyTorch at ${python}: run interop/setup.sh, or set GATEFOLD_TORCH`);
  execFileSync(python, [join(root, 'interop/torch_run.py'), join(folder, 'jobs.json')], { stdio: 'pipe' });
}, 300_000);

describe('PyTorch loads and runs what Gatefold writes', () => {
  it('with the outputs of Gatefold', () => {
    expect(cases.length).toBeGreaterThan(30);
    const errors = cases.map(({ name, model }, i) => {
      const session = createSession(model);
      const { data } = inputOf(model);
      const [y] = Object.values(session.run({ [session.inputs[0]!.name]: data }, { batch: 2 }));
      const expected = readNpz(readFileSync(join(folder, `out${i}.npz`))).get('out')!;
      expect(y!.data.length, name).toBe(expected.data.length);
      return { name, error: Math.max(...y!.data.map((value, k) => distance(value, Number(expected.data[k])))) };
    });
    expect(errors.filter(({ error }) => !(error <= 1e-5))).toEqual([]);
  });
});

function distance(value: number, reference: number): number {
  return Math.abs(value - reference) / Math.max(1, Math.abs(reference));
}
