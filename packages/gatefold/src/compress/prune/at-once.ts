import type { Model, Sparsity, Weight } from '@gatefold/runtime';
import type { PassContext } from '../pass.ts';
import { applySparsity } from './apply.ts';
import { chooseKept } from './masks.ts';
import { prepareSurgery } from './obs.ts';
import type { Settled } from './options.ts';
import { scoresOf } from './scores.ts';
import type { Chosen, Cut } from './select.ts';

/**
 * Looks at the model and its data once; what comes back removes any shares of the chosen matrices, given in the same order, before
 * anything learns to do without them.
 * @throws DATA_INVALID where the criterion needs data; from the function OPTION_INVALID where nothing would be left
 */
export function prepareCut(
  model: Model,
  chosen: readonly Chosen[],
  settled: Settled,
  context: PassContext,
): (chosen: readonly Chosen[], settled: Settled) => Cut {
  if (settled.criterion === 'obs') return prepareSurgery(model, chosen, context);
  const scores = scoresOf(model, chosen, settled.criterion, context);
  return (matrices, how) => {
    const sparsities = chooseKept(matrices, scores, how);
    return { model: withSparsity(model, matrices, sparsities), sparsities };
  };
}

/** Removes everything at once. */
export function pruneAtOnce(model: Model, chosen: readonly Chosen[], settled: Settled, context: PassContext): Cut {
  return prepareCut(model, chosen, settled, context)(chosen, settled);
}

/** The chosen matrices without what was removed. */
export function withSparsity(model: Model, chosen: readonly Chosen[], sparsities: readonly Sparsity[]): Model {
  const weights: Record<string, Weight> = { ...model.weights };
  chosen.forEach(({ place }, i) => {
    const { node, role, weight } = place;
    weights[weight] = applySparsity(weights[weight]!, sparsities[i]!, `${node.name}/${role}`);
  });
  return { ...model, weights };
}

/** What was removed before may be chosen again. */
export function withoutSparsity(model: Model, chosen: readonly Chosen[]): Model {
  const weights: Record<string, Weight> = { ...model.weights };
  for (const { place } of chosen) {
    const { sparsity: _, ...rest } = weights[place.weight]!;
    weights[place.weight] = rest;
  }
  return { ...model, weights };
}
