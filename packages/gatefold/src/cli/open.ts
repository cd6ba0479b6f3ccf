import { GatefoldError, type Model } from '@gatefold/runtime';
import { type LoadedModel, type LoadOptions, loadModel } from '../node/load.ts';
import type { Context } from './context.ts';

/** What the reader of a file without a graph took for granted, in sentences. */
export function assumptionsOf({ origin }: Model): string[] {
  const list = origin?.assumptions;
  return Array.isArray(list) ? list.filter((text) => typeof text === 'string') : [];
}

/**
 * Loads a model and says what was taken for granted, so that a wrong guess does not pass in silence.
 * @throws FILE_*, MODEL_*
 */
export async function openModel(context: Context, path: string, options: LoadOptions): Promise<LoadedModel> {
  const loaded = await loadModel(path, options);
  if (loaded.taken) {
    const pairs = loaded.taken.map(({ node, layer }) => (node === layer ? node : `${node} ← ${layer}`));
    context.note(`weights of ${options.weights}: ${pairs.join(', ')}`);
  }
  const list = assumptionsOf(loaded.model);
  if (list.length > 0) {
    context.note(`${path}: the weights came without their network. Taken for granted:`);
    for (const text of list) context.note(`  - ${text}`);
    context.note(
      'If that is wrong: gatefold inspect WEIGHTS --template > arch.yaml, change it, and pass --arch arch.yaml.',
    );
  }
  return loaded;
}

/**
 * Loads models one after the other. What `--fix` names has to be open in one of them, not in each.
 * @throws as openModel
 */
export async function openModels(
  context: Context,
  paths: readonly string[],
  options: LoadOptions,
): Promise<LoadedModel[]> {
  const all = options.fix ?? [];
  const taken = new Set<string>();
  const refusals = new Map<string, unknown>();
  const open = async (path: string, fix: readonly string[]): Promise<LoadedModel> => {
    try {
      const loaded = await openModel(context, path, { ...options, fix });
      for (const text of fix) taken.add(text);
      return loaded;
    } catch (error) {
      const place = error instanceof GatefoldError ? error.detail.place : undefined;
      const odd = fix.find((text) => place === `--fix ${text.slice(0, text.lastIndexOf('='))}`);
      if (odd === undefined) throw error;
      if (!refusals.has(odd)) refusals.set(odd, error);
      return open(
        path,
        fix.filter((text) => text !== odd),
      );
    }
  };
  const models: LoadedModel[] = [];
  for (const path of paths) models.push(await open(path, all));
  const unknown = all.find((text) => !taken.has(text));
  if (unknown !== undefined) throw refusals.get(unknown);
  return models;
}
