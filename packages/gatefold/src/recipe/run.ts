import { fail, type Model } from '@gatefold/runtime';
import {
  finetune,
  given,
  type PassContext,
  type PassResult,
  type PruneOptions,
  type PruneUnitsOptions,
  prune,
  pruneTokens,
  pruneUnits,
  type QuantizeOptions,
  quantize,
  quantizeAware,
  quantizeBySensitivity,
} from '../compress/index.ts';
import type { Recipe, RecipeStep } from './schema.ts';

/** What one step did. */
export interface StepOutcome extends PassResult {
  readonly pass: RecipeStep['pass'];
}

async function runStep(model: Model, step: RecipeStep, context: PassContext): Promise<StepOutcome> {
  if (step.pass === 'finetune') {
    const { pass, ...settings } = step;
    return { pass, ...(await finetune(model, given(settings), context)) };
  }
  if (step.pass === 'prune') {
    const { pass, train, schedule, ...options } = step;
    const settings = given({ ...options, schedule: schedule && given(schedule) }) as PruneOptions;
    return { pass, ...(await prune(model, settings, train && given(train), context)) };
  }
  if (step.pass === 'prune-tokens') {
    const { pass, ...options } = step;
    return { pass, ...pruneTokens(model, given(options), context) };
  }
  if (step.pass === 'prune-units') {
    const { pass, train, ...options } = step;
    const settings = given({ ...options, train: train && given(train) }) as PruneUnitsOptions;
    return { pass, ...(await pruneUnits(model, settings, context)) };
  }
  const { pass, train, search, ...options } = step;
  const settings = given({ ...options, mixed: options.mixed?.map(given) }) as QuantizeOptions;
  if (train && search) {
    fail('RECIPE_INVALID', 'training and a search exclude each other', {
      place: 'search, train',
      hint: 'search in one step; a finetune step after it trains the codes on',
    });
  }
  if (search) return { pass, ...quantizeBySensitivity(model, settings, given(search), context) };
  const result = train
    ? await quantizeAware(model, settings, given(train), context)
    : quantize(model, settings, context);
  return { pass, ...result };
}

/**
 * Runs the steps one after the other. The recipe is recorded in the model's metadata, after those that made the model
 * what it was. `onStep` sees every intermediate model (for evaluation between steps) and may be asynchronous. `context` may differ
 * from step to step. The steps before `first` are taken as done: `model` is what they made.
 */
export async function runRecipe(
  model: Model,
  recipe: Recipe,
  context: PassContext | ((index: number) => PassContext) = {},
  onStep?: (outcome: StepOutcome, index: number) => void | Promise<void>,
  first = 0,
): Promise<{ model: Model; steps: readonly StepOutcome[] }> {
  const steps: StepOutcome[] = [];
  let current = model;
  for (const [index, step] of recipe.steps.entries()) {
    if (index < first) continue;
    const own = typeof context === 'function' ? context(index) : context;
    own.signal?.throwIfAborted();
    const outcome = await runStep(current, step, own);
    current = outcome.model;
    steps.push(outcome);
    await onStep?.(outcome, index);
  }
  const earlier = Array.isArray(model.metadata.recipes) ? model.metadata.recipes : [];
  const recipes = [...earlier, JSON.parse(JSON.stringify(recipe))];
  return { model: { ...current, metadata: { ...current.metadata, recipes } }, steps };
}
