import { fail } from '@gatefold/runtime';
import { given } from '../compress/given.ts';
import { checkRecipe, type RecipeStep } from '../recipe/index.ts';
import { passTraining, passTrainingOptions, refuseIdle } from './pass-training.ts';
import { share } from './prune-options.ts';

const ofWeights = [
  'sparsity',
  'threshold',
  'pattern',
  'block',
  'diagonal',
  'reorder',
  'smallest',
  'mixed',
  'schedule',
  'ramp',
  'every',
];

const trainingOptions = ['schedule', 'ramp', 'every', ...passTrainingOptions];

/** Passes over the data are what makes a pass train. */
function trainingOf(options: Record<string, unknown>): Record<string, unknown> | undefined {
  if (options.epochs !== undefined) return passTraining(options);
  refuseIdle(options, trainingOptions, 'training: add --epochs');
  return undefined;
}

const ofUnits = ['units', 'lasso', 'multiple', 'criterion', 'scope', 'target'];

/** The command's options as a recipe step: tokens, hidden units, or weights. */
export function stepOf(options: Record<string, unknown>): RecipeStep {
  const { tokens, unknown, units, lasso, multiple, criterion, scope, target } = options;
  if (tokens !== undefined) {
    refuseIdle(options, [...ofWeights, ...ofUnits, ...trainingOptions], 'weights and units, not for tokens');
    return step({ pass: 'prune-tokens', tokens, unknown });
  }
  refuseIdle(options, ['unknown'], 'tokens: add --tokens');
  // The command line knows it as --no-compensate, whose absence is true.
  const compensate = options.compensate === false ? false : undefined;
  if (units === undefined && lasso === undefined) {
    refuseIdle({ multiple, 'no-compensate': compensate }, ['multiple', 'no-compensate'], 'units: add --units');
    return pruneStep(options);
  }
  refuseIdle(options, ofWeights, 'weights, not for units');
  const train = trainingOf(options);
  return step({ pass: 'prune-units', units, lasso, multiple, criterion, scope, target, compensate, train });
}

/** Checked as in a recipe of its own. */
function step(options: Record<string, unknown>): RecipeStep {
  return checkRecipe({ version: 1, steps: [given(options)] }, 'options').steps[0]!;
}

/** The command's options as a step that removes weights. */
export function pruneStep(options: Record<string, unknown>): Extract<RecipeStep, { pass: 'prune' }> {
  const { sparsity, threshold, pattern, block, criterion, scope, diagonal, reorder, smallest, target } = options;
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
  const schedule = given({ shape: options.schedule, end: options.ramp, every: options.every });
  return step({
    pass: 'prune',
    ...{ sparsity, threshold, pattern, block, criterion, scope, diagonal, reorder, smallest, target, mixed },
    ...{ train: trainingOf(options), schedule: Object.keys(schedule).length > 0 ? schedule : undefined },
  }) as Extract<RecipeStep, { pass: 'prune' }>;
}
