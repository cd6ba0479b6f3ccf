import { extname } from 'node:path';
import { fail, type Model, writeGatefold } from '@gatefold/runtime';
import { checkOutput, writeBytes } from '../../node/files.ts';
import { loadModel } from '../../node/load.ts';
import { showBytes } from '../../report/format.ts';
import type { Context } from '../context.ts';

/** Refuses output formats that cannot be written, before any work is done. */
export function checkTarget(context: Context, path: string, to?: string): void {
  const format = to ?? extname(path).slice(1);
  if (format !== 'gatefold') {
    fail('OPTION_INVALID', `models cannot be written as "${format || path}"`, {
      place: to === undefined ? '-o' : '--to',
      expected: 'a .gatefold file',
    });
  }
  checkOutput(path, context.force);
}

/** Writes the model; returns the size of the file. */
export async function saveModel(context: Context, path: string, model: Model): Promise<number> {
  const bytes = writeGatefold(model);
  await writeBytes(path, bytes, context.force);
  return bytes.length;
}

export async function convert(
  context: Context,
  path: string,
  options: { output: string; to?: string; arch?: string },
): Promise<void> {
  checkTarget(context, options.output, options.to);
  const { model, format, bytes } = await loadModel(path, options.arch);
  const written = await saveModel(context, options.output, model);
  context.result(
    { input: path, format: format.name, output: options.output, bytes: { before: bytes, after: written } },
    `${options.output}: ${showBytes(written)} (from ${format.name} ${format.version}, ${showBytes(bytes)})`,
  );
}
