import { dirname, extname, join } from 'node:path';
import type { Model } from '@gatefold/runtime';
import { type WriteOptions, writerFor } from '../../formats/index.ts';
import { checkOutput } from '../../node/files.ts';
import type { LoadOptions } from '../../node/load.ts';
import { showBytes } from '../../report/format.ts';
import type { Context } from '../context.ts';
import { openModel } from '../open.ts';

/** Refuses output formats that cannot be written, before any work is done. */
export function checkTarget(context: Context, path: string, to?: string): void {
  writerOf(path, to);
  checkOutput(path, context.force);
}

/** The format that an output is written in, told by its extension or by name. */
export function writerOf(path: string, to?: string) {
  return to === undefined ? writerFor(extname(path).slice(1) || path, '-o') : writerFor(to, '--to');
}

/** Where states of recurrent cells shall stand: `ports` are inputs and outputs, `none` start at zero in every call. */
export type StatesFlag = 'ports' | 'none';

export function explicitStates(flag: StatesFlag | undefined): boolean | undefined {
  return flag && flag === 'ports';
}

/** Writes the model; returns the size of the file with those beside it. `source` is the file it was read from. */
export async function saveModel(
  context: Context,
  path: string,
  model: Model,
  { to, ...options }: WriteOptions & { readonly to?: string | undefined } = {},
): Promise<number> {
  const { bytes, beside = new Map<string, Uint8Array>(), notes = [] } = await writerOf(path, to).write(model, options);
  for (const text of notes) context.note(`${path}: ${text}`);
  const files = [...beside].map(([name, content]) => [join(dirname(path), name), content] as const);
  await context.save([...files, [path, bytes]]);
  return files.reduce((sum, [, content]) => sum + content.length, bytes.length);
}

export async function convert(
  context: Context,
  path: string,
  options: LoadOptions & { output: string; to?: string; states?: StatesFlag },
): Promise<void> {
  checkTarget(context, options.output, options.to);
  const { model, format, bytes, source } = await openModel(context, path, options);
  const written = await saveModel(context, options.output, model, {
    ...{ source, to: options.to, explicitStates: explicitStates(options.states) },
  });
  context.result(
    { input: path, format: format.name, output: options.output, bytes: { before: bytes, after: written } },
    `${options.output}: ${showBytes(written)} (from ${format.name} ${format.version}, ${showBytes(bytes)})`,
  );
}
