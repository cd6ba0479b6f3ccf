import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, type Model } from '@gatefold/runtime';
import { checkDataset, type DataOptions, type Dataset, datasetFromFile, type Task } from '../data/index.ts';
import { readBytes } from './files.ts';

export interface LoadDataOptions {
  readonly task?: Task;
  readonly target?: string;
  readonly window?: number;
  readonly vocabulary?: string;
  readonly limit?: number;
}

/** `path:split`: the split is told from a drive letter or a file by what exists. */
function splitName(source: string): { path: string; split: string | undefined } {
  const at = source.lastIndexOf(':');
  if (at < 2 || existsSync(source)) return { path: source, split: undefined };
  return { path: source.slice(0, at), split: source.slice(at + 1) };
}

/**
 * Reads the data that a command names: a file, or a JavaScript module whose default export is a data set, or a function
 * `(split) => data set`; with `:split` a module's part, or for files `train`, `valid`, `test` as the first 80 %, the next
 * 10 % and the last 10 % of the examples.
 * @throws DATA_INVALID, FILE_READ
 */
export async function loadData(source: string, options: LoadDataOptions, model?: Model): Promise<Dataset> {
  const { path, split } = splitName(source);
  if (/\.(mjs|cjs|js)$/.test(path)) return fromModule(path, split);
  const bytes = await readBytes(path);
  const given: DataOptions = {
    ...(options.task ? { task: options.task } : {}),
    ...(options.target ? { target: options.target } : {}),
    ...(options.window ? { window: options.window } : {}),
    ...(options.limit ? { limit: options.limit } : {}),
    ...(await vocabularyFor(options.vocabulary, model)),
  };
  const whole = datasetFromFile(basename(path), bytes, given);
  return split === undefined ? whole : part(whole, split);
}

async function vocabularyFor(
  path: string | undefined,
  model: Model | undefined,
): Promise<{ vocabulary?: readonly string[] }> {
  const known =
    path === undefined ? model?.metadata.vocabulary : parseList(path, new TextDecoder().decode(await readBytes(path)));
  if (known === undefined) return {};
  if (!Array.isArray(known) || !known.every((symbol) => typeof symbol === 'string')) {
    fail('DATA_INVALID', 'a vocabulary must be a list of symbols', { place: path ?? 'metadata.vocabulary' });
  }
  return { vocabulary: known };
}

function parseList(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail('DATA_INVALID', 'the vocabulary is not JSON', { place: path, found: (error as Error).message });
  }
}

async function fromModule(path: string, split: string | undefined): Promise<Dataset> {
  if (!existsSync(path)) fail('FILE_READ', 'the file cannot be read', { place: path, found: 'no such file' });
  const module = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  const made: unknown = typeof module.default === 'function' ? await module.default(split ?? 'test') : module.default;
  if (typeof made !== 'object' || made === null || !('inputs' in made) || !('count' in made)) {
    fail('DATA_INVALID', 'the module exports no data set', {
      place: path,
      expected: 'default: { name, task, count, inputs, targets } or (split) => …',
    });
  }
  return checkDataset(made as Dataset);
}

function part(dataset: Dataset, split: string): Dataset {
  const bounds: Readonly<Record<string, [number, number]>> = { train: [0, 0.8], valid: [0.8, 0.9], test: [0.9, 1] };
  const range =
    bounds[split] ?? fail('DATA_INVALID', `there is no split "${split}"`, { expected: 'train, valid, test' });
  if (dataset.task === 'language') return textPart(dataset, range, split);
  const [from, to] = range.map((share) => Math.floor(dataset.count * share)) as [number, number];
  const cut = ({ shape, data }: NonNullable<Dataset['targets']>) => {
    const each = data.length / dataset.count;
    return { shape: [to - from, ...shape.slice(1)], data: data.subarray(from * each, to * each) };
  };
  const inputs = Object.fromEntries(Object.entries(dataset.inputs).map(([name, examples]) => [name, cut(examples)]));
  const targets = dataset.targets ? { targets: cut(dataset.targets) } : {};
  return checkDataset({ ...dataset, name: `${dataset.name}:${split}`, count: to - from, inputs, ...targets });
}

/** A text is one example: its parts are stretches of it. */
function textPart(dataset: Dataset, range: readonly [number, number], split: string): Dataset {
  const cut = ({ shape, data }: NonNullable<Dataset['targets']>) => {
    const [from, to] = range.map((share) => Math.floor(shape[1]! * share)) as [number, number];
    return { shape: [1, to - from], data: data.subarray(from, to) };
  };
  return {
    ...dataset,
    name: `${dataset.name}:${split}`,
    inputs: { x: cut(dataset.inputs.x!) },
    targets: cut(dataset.targets!),
  };
}
