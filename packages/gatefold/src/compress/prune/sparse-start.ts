import type { Model } from '@gatefold/runtime';
import type { TrainOptions } from '../../train/index.ts';
import { pruneAtOnce, withoutSparsity, withSparsity } from './at-once.ts';
import { type PruneOptions, settle } from './options.ts';
import { Mover } from './rigl.ts';
import { firstEpoch, settleSchedule } from './schedule.ts';
import { chooseMatrices } from './select.ts';

/** How a new model is trained with few weights from its first step on. */
export interface SparseStart {
  /** Without a random share of its weights. */
  readonly model: Model;
  readonly training: Pick<TrainOptions, 'companion' | 'bestFrom'>;
  /** The trained model, with what is removed by then. */
  readonly finish: (trained: Model) => Model;
}

/**
 * Sparse training of a model that has learnt nothing yet: blocks are removed at random, and moved to where gradients are largest until
 * three quarters of the training are done (Evci et al. 2020).
 * @throws OPTION_INVALID, TARGET_EMPTY
 */
export function sparseFromStart(
  model: Model,
  { sparsity, block }: Required<Pick<PruneOptions, 'sparsity'>> & Pick<PruneOptions, 'block'>,
  { seed, epochs }: { readonly seed: number; readonly epochs: number },
): SparseStart {
  const settled = settle({ sparsity, ...(block ? { block } : {}), criterion: 'random' }, true);
  const { chosen } = chooseMatrices(model, settled);
  const { model: sparse, sparsities } = pruneAtOnce(model, chosen, settled, { seed });
  const schedule = settleSchedule({ shape: 'rigl', end: 0.75 });
  const mover = new Mover(chosen, settled, schedule, sparsities);
  return {
    model: withoutSparsity(sparse, chosen),
    training: { companion: mover, bestFrom: firstEpoch(schedule, epochs) },
    finish: (trained) => withSparsity(trained, chosen, mover.sparsities),
  };
}
