import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';
import { fail, type Model } from '@gatefold/runtime';
import { type ReadOptions, readArchitecture, readModel, rereadModel } from '../formats/index.ts';
import { readBytes } from './files.ts';

export interface LoadedModel {
  readonly model: Model;
  readonly format: { readonly name: string; readonly version: string };
  readonly path: string;
  /** Bytes of the file and of those beside it that belong to it. */
  readonly bytes: number;
  /** The main file itself, which some formats need when they write. */
  readonly source: Uint8Array;
}

/**
 * Reads a model file of any known format. `fix` gives numbers that the file leaves open, as `name=number`.
 * @throws FILE_*, MODEL_*, OPTION_INVALID
 */
export async function loadModel(
  path: string,
  architecture?: string,
  fix: readonly string[] = [],
): Promise<LoadedModel> {
  const fixed = fixedNumbers(fix);
  const text = architecture === undefined ? undefined : new TextDecoder().decode(await readBytes(architecture));
  return load(path, (source, options) =>
    readModel(source, { ...options, fix: fixed, ...(text === undefined ? {} : { architecture: text }) }),
  );
}

/**
 * The network that a file describes, its weights to be initialised: a model file of any known format, or Keras' JSON.
 * @throws as loadModel
 */
export async function loadArchitecture(path: string, fix: readonly string[] = []): Promise<Model> {
  const fixed = fixedNumbers(fix);
  const { model } = await load(path, async (source, options) => ({
    model: await readArchitecture(source, { ...options, fix: fixed }),
    format: { name: '', version: '' },
  }));
  return model;
}

/**
 * Reads a file that was written from a model.
 * @throws FILE_*, MODEL_*
 */
export async function loadWritten(path: string, model: Model): Promise<LoadedModel> {
  return load(path, (source, options) => rereadModel(source, model, options));
}

async function load(
  path: string,
  read: (source: Uint8Array, options: ReadOptions) => ReturnType<typeof readModel>,
): Promise<LoadedModel> {
  const source = await readBytes(path);
  const name = basename(path).replace(/\.[^.]+$/, '');
  let bytes = source.length;
  const beside = async (file: string): Promise<Uint8Array> => {
    const found = await readBytes(await pathBeside(path, file));
    bytes += found.length;
    return found;
  };
  const { model, format } = await read(source, { name, beside });
  return { model, format, path, bytes, source };
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
