import type { Model } from '@gatefold/runtime';
import type { Context } from './context.ts';

/** What the reader of a file without a graph took for granted, in sentences. */
export function assumptionsOf({ origin }: Model): string[] {
  const list = origin?.assumptions;
  return Array.isArray(list) ? list.filter((text) => typeof text === 'string') : [];
}

/** Says what was taken for granted, so that a wrong guess does not pass in silence. */
export function noteAssumptions(context: Context, model: Model): void {
  const list = assumptionsOf(model);
  if (list.length === 0) return;
  context.note('The file holds no graph. Taken for granted:');
  for (const text of list) context.note(`  - ${text}`);
  context.note('If that is wrong: gatefold inspect FILE --template > arch.yaml, change it, and pass --arch arch.yaml.');
}
