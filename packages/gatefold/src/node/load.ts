import { basename } from 'node:path';
import type { Model } from '@gatefold/runtime';
import { readModel } from '../formats/index.ts';
import { readBytes } from './files.ts';

export interface LoadedModel {
  readonly model: Model;
  readonly format: { readonly name: string; readonly version: string };
  readonly path: string;
  /** Bytes of the file. */
  readonly bytes: number;
}

/**
 * Reads a model file of any known format.
 * @throws FILE_*, MODEL_*
 */
export async function loadModel(path: string, architecture?: string): Promise<LoadedModel> {
  const bytes = await readBytes(path);
  const text = architecture === undefined ? undefined : new TextDecoder().decode(await readBytes(architecture));
  const name = basename(path).replace(/\.[^.]+$/, '');
  const { model, format } = await readModel(bytes, { name, ...(text === undefined ? {} : { architecture: text }) });
  return { model, format, path, bytes: bytes.length };
}
