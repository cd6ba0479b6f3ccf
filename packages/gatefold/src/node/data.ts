import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { fail, frontEndOptions, type Model } from '@gatefold/runtime';
import {
  type DataOptions,
  type Dataset,
  datasetFromFile,
  fromSounds,
  reordered,
  type Symbols,
  sliceDataset,
  sliceSteps,
  symbolsOf,
  type Task,
} from '../data/index.ts';
import { randomFor, shuffled } from '../train/random.ts';
import { readBytes } from './files.ts';
import { datasetFromModule } from './module-data.ts';
import { type ListedSound, readSounds, soundsInFolder, soundsInManifest } from './sounds.ts';

export interface LoadDataOptions {
  readonly task?: Task;
  readonly target?: string;
  readonly window?: number;
  readonly vocabulary?: string;
  readonly limit?: number;
  /** For a text without a vocabulary: its own characters. */
  readonly ownVocabulary?: boolean;
  /** Sounds for a model that is yet to be made: the line that describes its front end. */
  readonly frontEnd?: string;
  /** Shares of the examples that are `:train` and `:valid`; the rest is `:test`. */
  readonly split?: readonly [train: number, valid: number];
}

/** `path:split`: the split is told from a drive letter or a file by what exists. */
function splitName(source: string): { path: string; split: string | undefined } {
  const at = source.lastIndexOf(':');
  if (at < 2 || existsSync(source)) return { path: source, split: undefined };
  return { path: source.slice(0, at), split: source.slice(at + 1) };
}

/** What data need to know of their model. */
export type KnownModel = Pick<Model, 'metadata'>;

/**
 * Reads the data that a command names: a file, a folder of sounds or a table that names them, or a JavaScript module whose default export is a data set, or a function
 * `(split) => data set`; with `:split` a module's part, or for files `train`, `valid`, `test` as the first 80 %, the next
 * 10 % and the last 10 % of the examples, or the shares of `split`.
 * @throws DATA_INVALID, FILE_READ
 */
export async function loadData(source: string, options: LoadDataOptions, model?: KnownModel): Promise<Dataset> {
  const { path, split } = splitName(source);
  if (/\.(mjs|cjs|js)$/.test(path)) return datasetFromModule(path, split, options.task);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const { sounds, parted } = soundsInFolder(path, split);
    const whole = await datasetOf(`${basename(path)}${parted ? `:${split}` : ''}`, sounds, options, model);
    return split === undefined || parted ? whole : part(mixed(whole), split, options.split);
  }
  if (/\.wav$/i.test(path)) return datasetOf(basename(path), [{ name: basename(path), path }], options, model);
  const bytes = await readBytes(path);
  const listed = /\.(csv|jsonl)$/i.test(path) ? soundsInManifest(path, bytes) : undefined;
  if (listed) {
    const whole = await datasetOf(basename(path), listed, options, model);
    return split === undefined ? whole : part(whole, split, options.split);
  }
  const given: DataOptions = {
    ...(options.task ? { task: options.task } : {}),
    ...(options.target ? { target: options.target } : {}),
    ...(options.window ? { window: options.window } : {}),
    ...(options.limit ? { limit: options.limit } : {}),
    ...(options.ownVocabulary ? { ownVocabulary: true } : {}),
    ...(await vocabularyFor(options.vocabulary, model)),
  };
  const whole = datasetFromFile(basename(path), bytes, given);
  return split === undefined ? whole : part(whole, split, options.split);
}

/** @throws DATA_INVALID where a model does not say how it hears */
function datasetOf(
  name: string,
  sounds: readonly ListedSound[],
  { task, frontEnd: line }: LoadDataOptions,
  model: KnownModel | undefined,
): Promise<Dataset> {
  const known = model && frontEndOptions(model);
  if (model && !known) {
    fail('DATA_INVALID', 'the model does not say how sounds become features', {
      place: name,
      expected: 'a model with metadata.frontEnd, as training on sounds makes it',
    });
  }
  const frontEnd = known ?? line;
  const labels = model?.metadata.labels;
  return fromSounds(name, readSounds(sounds), {
    ...(frontEnd === undefined ? {} : { frontEnd }),
    ...(Array.isArray(labels) ? { classes: labels.map(String) } : {}),
    ...(task ? { task } : {}),
  });
}

/** Folders stand class by class: their parts take from all of them, the same at all times. */
function mixed(dataset: Dataset): Dataset {
  return reordered(dataset, shuffled(dataset.count, randomFor(1, 5)));
}

async function vocabularyFor(path: string | undefined, model: KnownModel | undefined): Promise<Partial<Symbols>> {
  const symbols = model && symbolsOf(model);
  if (path === undefined) {
    if (model?.metadata.vocabulary !== undefined && !symbols) refuse('metadata.vocabulary');
    return symbols ?? {};
  }
  const listed = symbolsOf({ metadata: { ...model?.metadata, vocabulary: parseList(path, await readBytes(path)) } });
  return listed ?? refuse(path);
}

function refuse(place: string): never {
  return fail('DATA_INVALID', 'a vocabulary must be a list of symbols', { place });
}

function parseList(path: string, bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail('DATA_INVALID', 'the vocabulary is not JSON', { place: path, found: (error as Error).message });
  }
}

/** A part of the examples; of a single sequence (a text, a recording) a stretch of its steps. */
function part(dataset: Dataset, split: string, [train, valid]: readonly [number, number] = [0.8, 0.1]): Dataset {
  // Shares are decimal fractions: 0.8 + 0.1 shall be 0.9.
  const end = Math.round((train + valid) * 1e9) / 1e9;
  const bounds: Readonly<Record<string, readonly [number, number]>> = {
    train: [0, train],
    valid: [train, end],
    test: [end, 1],
  };
  const range =
    (Object.hasOwn(bounds, split) ? bounds[split] : undefined) ??
    fail('DATA_INVALID', `there is no split "${split}"`, { expected: Object.keys(bounds).join(', ') });
  const name = `${dataset.name}:${split}`;
  const steps = Object.values(dataset.inputs)[0]?.shape[1] ?? 0;
  const [from, to] = range.map((share) => Math.floor((dataset.count === 1 ? steps : dataset.count) * share + 1e-9));
  const cut = dataset.count === 1 ? sliceSteps(dataset, from!, to!) : sliceDataset(dataset, from!, to!);
  if (!cut || from === to) {
    fail('DATA_INVALID', 'the data are too few to be split', { place: name, found: `${dataset.count} examples` });
  }
  return { ...cut, name };
}
