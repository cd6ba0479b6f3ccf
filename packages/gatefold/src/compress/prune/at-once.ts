import type { Model, Sparsity, Weight } from '@gatefold/runtime';
import type { PassContext } from '../pass.ts';
import { applySparsity } from './apply.ts';
import { chooseKept } from './masks.ts';
import { obsPrune } from './obs.ts';
import type { Settled } from './options.ts';
import { scoresOf } from './scores.ts';
import type { Chosen } from './select.ts';

/** Removes everything before anything learns to do without it. */
export function pruneAtOnce(
  model: Model,
  chosen: readonly Chosen[],
  settled: Settled,
  context: PassContext,
): { model: Model; sparsities: Sparsity[] } {
  if (settled.criterion === 'obs') {
    const { weights, sparsities } = obsPrune(model, chosen, settled, context);
    return { model: { ...model, weights }, sparsities: chosen.map(({ place }) => sparsities.get(place.weight)!) };
  }
  const sparsities = chooseKept(chosen, scoresOf(model, chosen, settled.criterion, context), settled);
  return { model: withSparsity(model, chosen, sparsities), sparsities };
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
