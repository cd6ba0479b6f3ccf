import type { Model } from '@gatefold/runtime';
import { fitToModel, sliceDataset, sliceSteps } from '../../data/index.ts';
import { evaluate } from '../../evaluate/index.ts';
import type { PassContext } from '../pass.ts';
import { type Choice, upgradesFor } from '../sensitivity/choose.ts';
import type { Settled } from './options.ts';
import { cutShares } from './scan.ts';
import { needsData } from './scores.ts';
import type { Chosen } from './select.ts';

/** Shares that each gate is tried with; none loses more than the last of them. */
const tried = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98];
/** Examples, and steps of a text, that they are tried on. */
const few = { examples: 512, steps: 4096 };

/**
 * Gives each gate the share that it can lose: measured one gate after the other, without training, on a few training data; then the
 * asked share of all weights is taken where a weight costs least. Gates differ much: the candidate of an LSTM needs its weights,
 * the others hardly (see the scan).
 * @throws DATA_INVALID without training data
 */
export async function allocate(
  model: Model,
  chosen: readonly Chosen[],
  settled: Settled,
  share: number,
  context: PassContext,
): Promise<Chosen[]> {
  if (!context.training) needsData('scope measured', 'data with targets', '--train');
  const whole = fitToModel(context.training, model);
  const data = (
    whole.count === 1 ? sliceSteps(whole, 0, few.steps) : sliceDataset(whole, 0, Math.min(whole.count, few.examples))
  )!;
  const judge = async (candidate: Model) => {
    const { loss, mse } = (await evaluate(candidate, data)).metrics;
    return (loss ?? mse)!;
  };
  const base = await judge(model);
  const gates = chosen.flatMap((matrix, m) => {
    const without = cutShares(model, matrix, settled, context);
    return matrix.shares.flatMap((own, gate) => (own === undefined ? [] : [{ matrix, m, gate, without }]));
  });
  // Weights are what a gate costs, the loss is the damage.
  const lists: Choice[][] = [];
  for (const [i, { matrix, gate, without }] of gates.entries()) {
    const alone = { ...matrix, shares: matrix.shares.map((_, k) => (k === gate ? 1 : undefined)) };
    const size = matrix.gateRows * matrix.columns;
    const choices: Choice[] = [{ cost: size, damage: base }];
    for (const [k, part] of tried.entries()) {
      context.signal?.throwIfAborted();
      context.onProgress?.(i * tried.length + k, gates.length * tried.length, 'how much each gate can lose');
      const pruned = without(alone, part);
      if (pruned) choices.push({ cost: (1 - part) * size, damage: Math.max(await judge(pruned), base) });
    }
    lists.push(choices);
  }
  const sizes = lists.map(([whole]) => whole!.cost);
  const kept = distribute(lists, (1 - share) * sizes.reduce((sum, size) => sum + size, 0));
  const shares = chosen.map((matrix) => [...matrix.shares]);
  gates.forEach(({ m, gate }, i) => {
    // A share of 0 would leave the gate out; a little of it may go.
    shares[m]![gate] = Math.max(1 - kept[i]! / sizes[i]!, 1e-3);
  });
  return chosen.map((matrix, m) => ({ ...matrix, shares: shares[m]! }));
}

/** Weights for every gate, `budget` together: where each lowers the loss most. */
function distribute(lists: readonly (readonly Choice[])[], budget: number): number[] {
  const { cheapest, upgrades } = upgradesFor(lists);
  const kept = lists.map((choices, i) => choices[cheapest[i]!]!.cost);
  let left = budget - kept.reduce((sum, cost) => sum + cost, 0);
  // Less than the least that was tried: all alike.
  if (left < 0) return kept.map((cost) => (cost * budget) / (budget - left));
  for (const { weight, from, to } of upgrades) {
    const step = Math.min(lists[weight]![to]!.cost - lists[weight]![from]!.cost, left);
    kept[weight] = kept[weight]! + step;
    left -= step;
  }
  return kept;
}
