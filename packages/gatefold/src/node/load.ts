import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';
import { fail, type Model } from '@gatefold/runtime';
import {
  type FileParts,
  type LentModel,
  type ReadOptions,
  readArchitecture,
  readModel,
  readParts,
  rereadModel,
  withWeightsOf,
} from '../formats/index.ts';
import { readBytes } from './files.ts';

export interface LoadedModel {
  readonly model: Model;
  readonly format: { readonly name: string; readonly version: string };
  readonly path: string;
  /** Bytes of the file and of those beside it that belong to it. */
  readonly bytes: number;
  /** The main file itself, which some formats need when they write. */
  readonly source: Uint8Array;
  /** Where weights came from another file. */
  readonly taken?: LentModel['taken'];
}

/** A file of which only layers are understood. */
export interface LoadedParts extends FileParts {
  readonly bytes: number;
  readonly source: Uint8Array;
  readonly beside: NonNullable<ReadOptions['beside']>;
}

/** What a model file leaves open, and files that tell it. */
export interface LoadOptions {
  /** Path of an architecture file. */
  readonly arch?: string;
  /** Numbers that the file leaves open, as `name=number`. */
  readonly fix?: readonly string[];
  /** Path of a file whose weights the graph is to have instead of its own. */
  readonly weights?: string;
}

/**
 * Reads a model file of any known format.
 * @throws FILE_*, MODEL_*, OPTION_INVALID
 */
export async function loadModel(path: string, { arch, fix = [], weights }: LoadOptions = {}): Promise<LoadedModel> {
  const fixed = fixedNumbers(fix);
  const text = arch === undefined ? undefined : new TextDecoder().decode(await readBytes(arch));
  const loaded = await load(path, (source, options) =>
    readModel(source, { ...options, fix: fixed, ...(text === undefined ? {} : { architecture: text }) }),
  );
  return weights === undefined ? loaded : { ...loaded, ...withWeightsOf(await readBytes(weights), loaded.model) };
}

/**
 * The network that a file describes, its weights to be initialised: a model file of any known format, or Keras' JSON.
 * @throws as loadModel
 */
export async function loadArchitecture(path: string, fix: readonly string[] = []): Promise<Model> {
  const fixed = fixedNumbers(fix);
  const { source, name, beside } = await opened(path);
  return readArchitecture(source, { name, beside, fix: fixed });
}

/**
 * Reads a file that was written from a model.
 * @throws FILE_*, MODEL_*
 */
export async function loadWritten(path: string, model: Model): Promise<LoadedModel> {
  return load(path, (source, options) => rereadModel(source, model, options));
}

/**
 * The layers of a file that is not understood as a whole.
 * @throws FILE_*, MODEL_UNSUPPORTED
 */
export async function loadParts(path: string): Promise<LoadedParts> {
  const { source, name, beside, size } = await opened(path);
  const parts = await readParts(source, { name, beside });
  return { ...parts, source, beside, bytes: size() };
}

async function load(
  path: string,
  read: (source: Uint8Array, options: ReadOptions) => ReturnType<typeof readModel>,
): Promise<LoadedModel> {
  const { source, name, beside, size } = await opened(path);
  const { model, format } = await read(source, { name, beside });
  return { model, format, path, bytes: size(), source };
}

/** A file, its name without the ending, and what stands beside it; `size` counts the bytes of each file once. */
async function opened(path: string) {
  const source = await readBytes(path);
  const read = new Map<string, Uint8Array>();
  const beside = async (file: string): Promise<Uint8Array> => {
    const at = await pathBeside(path, file);
    const found = read.get(at) ?? (await readBytes(at));
    read.set(at, found);
    return found;
  };
  const size = () => [...read.values()].reduce((sum, { length }) => sum + length, source.length);
  return { source, name: basename(path).replace(/\.[^.]+$/, ''), beside, size };
}

function fixedNumbers(fix: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    fix.map((text) => {
      const cut = text.lastIndexOf('=');
      const number = Number(text.slice(cut + 1));
      if (cut < 1 || cut === text.length - 1 || !Number.isFinite(number)) {
        fail('OPTION_INVALID', 'a name and a number', { place: '--fix', expected: 'name=number', found: text });
      }
      return [text.slice(0, cut), number];
    }),
  );
}

/** A file that a model file names must stand in its folder, symbolic links followed. */
async function pathBeside(model: string, file: string): Promise<string> {
  const folder = await realpath(dirname(resolve(model)));
  const wanted = resolve(folder, file);
  const real = await realpath(wanted).catch(() => wanted);
  for (const candidate of [wanted, real]) {
    const inside = relative(folder, candidate);
    if (inside === '' || inside.startsWith('..') || isAbsolute(inside) || isAbsolute(file)) {
      fail('FILE_CORRUPT', 'the model names a file outside of its own folder', { place: model, found: file });
    }
  }
  return wanted;
}
