import { fail } from '@gatefold/runtime';
import { checkRecipe, type RecipeStep } from '../recipe/index.ts';
import { passTraining } from './pass-training.ts';
import { share } from './prune-options.ts';

/** The command's options as a recipe step. */
export function pruneStep(options: Record<string, unknown>): Extract<RecipeStep, { pass: 'prune' }> {
  const { sparsity, threshold, pattern, block, criterion, scope, diagonal, smallest, target } = options;
  const mixed = (options.mixed as string[] | undefined)?.map((entry) => {
    const at = entry.lastIndexOf('=');
    if (at < 1) {
      fail('OPTION_INVALID', 'option "--mixed" does not fit', {
        place: '--mixed',
        expected: 'address=share',
        found: entry,
      });
    }
    return { target: entry.slice(0, at), sparsity: share('--mixed')(entry.slice(at + 1)) };
  });
  const train = options.epochs === undefined ? undefined : passTraining(options);
  if (!train) {
    const [idle] = ['schedule', 'ramp', 'every', 'batch', 'bptt', 'rate', 'distill'].filter(
      (name) => options[name] !== undefined,
    );
    if (idle) {
      fail('OPTION_INVALID', `option "--${idle}" is for training: add --epochs`, { place: `--${idle}` });
    }
  }
  const schedule = { shape: options.schedule, end: options.ramp, every: options.every };
  const step = {
    pass: 'prune',
    ...{ sparsity, threshold, pattern, block, criterion, scope, diagonal, smallest, target, mixed, train },
    schedule: Object.values(schedule).some((value) => value !== undefined) ? without(schedule) : undefined,
  };
  const [made] = checkRecipe({ version: 1, steps: [without(step)] }, 'options').steps;
  return made as Extract<RecipeStep, { pass: 'prune' }>;
}

function without(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
