import { executedWeights, type Model, sizeOf } from '@gatefold/runtime';
import { changesBetween, keepingCodes } from '../finetune.ts';
import type { PassContext, PassResult } from '../pass.ts';
import { type TrainSettings, trainForPass } from '../train-settings.ts';
import { allocate } from './allocate.ts';
import { pruneAtOnce, withoutSparsity, withSparsity } from './at-once.ts';
import { Pruner } from './companion.ts';
import { dataNeeded } from './criteria.ts';
import { type PruneOptions, refuse, type Settled, settle } from './options.ts';
import { reorderForBlocks } from './reorder.ts';
import { Mover } from './rigl.ts';
import { firstEpoch, type Schedule, settleSchedule } from './schedule.ts';
import { statisticsOf } from './scores.ts';
import { type Chosen, chooseMatrices } from './select.ts';

export { type Criterion, criterionNames, dataNeeded } from './criteria.ts';
export { keepZeros } from './implied.ts';
export type { PruneOptions, ScheduleOptions } from './options.ts';
export { type ScannedPlace, scanSensitivity } from './scan.ts';
export { type SparseStart, sparseFromStart } from './sparse-start.ts';

/**
 * Removes weights: at once, or, with `training`, step by step while the rest learns to do without them. What was removed is said in
 * the weights' `sparsity`: it stays removed in later training, takes no room in the file, and costs no time where the
 * kernels leave it out.
 * @throws OPTION_INVALID, TARGET_EMPTY, DATA_INVALID; what training throws
 */
export async function prune(
  given: Model,
  options: PruneOptions,
  training: TrainSettings | undefined,
  context: PassContext,
): Promise<PassResult> {
  const settled = settle(options, training !== undefined);
  const schedule = settleSchedule(options.schedule ?? (settled.amount.kind === 'sparsity' ? {} : { shape: 'once' }));
  if (!training && options.schedule) refuse('schedule', 'a schedule only where the pass trains', 'no training');
  const { chosen: all, left } = chooseMatrices(given, settled);
  const grows = training && schedule.shape !== 'once' && schedule.shape !== 'rigl';
  if (grows && settled.amount.kind !== 'sparsity') {
    refuse('schedule', `once with a ${settled.amount.kind}: only shares grow`, String(schedule.shape));
  }
  if (grows && settled.criterion === 'obs') {
    refuse('schedule', 'once with criterion obs, which repairs what it removes at one time', String(schedule.shape));
  }
  const model = settled.reorder ? reorderForBlocks(given, all, settled, context) : given;
  const chosen =
    settled.scope === 'measured' && settled.amount.kind === 'sparsity'
      ? await allocate(model, all, settled, settled.amount.share, context)
      : all;
  const made = !training
    ? pruneAtOnce(model, chosen, settled, context).model
    : grows
      ? await pruneInTraining(model, chosen, settled, schedule, training, context)
      : await trainPruned(model, chosen, settled, schedule, training, context);
  const warnings = [
    ...(settled.reorder ? [reorderNote(model !== given)] : []),
    ...(left.length > 0 ? [`left alone: ${left.join(', ')}; --target names what shall be pruned`] : []),
    ...stillMultiplied(made, chosen),
  ];
  return { model: made, changes: changesBetween(model, made), warnings };
}

async function trainPruned(
  model: Model,
  chosen: readonly Chosen[],
  settled: Settled,
  schedule: Schedule,
  training: TrainSettings,
  context: PassContext,
): Promise<Model> {
  const { model: pruned, sparsities } = pruneAtOnce(model, chosen, settled, context);
  if (schedule.shape !== 'rigl') {
    return (await trainForPass(pruned, training, context, { ...keepingCodes(pruned), teacher: model })).model;
  }
  if (settled.amount.kind === 'pattern') refuse('schedule', 'another one: rigl moves blocks, not patterns', 'rigl');
  const mover = new Mover(chosen, settled, schedule, sparsities);
  const free = withoutSparsity(pruned, chosen);
  const { model: trained } = await trainForPass(free, training, context, {
    ...keepingCodes(free),
    ...{ teacher: model, companion: mover, bestFrom: firstEpoch(schedule, training.epochs) },
  });
  return withSparsity(trained, chosen, mover.sparsities);
}

async function pruneInTraining(
  model: Model,
  chosen: readonly Chosen[],
  settled: Settled,
  schedule: Schedule,
  training: TrainSettings,
  context: PassContext,
): Promise<Model> {
  const { seed = 1 } = context;
  // Gradients are seen while training.
  const looks = dataNeeded(settled.criterion) === 'calibration';
  const statistics = looks ? { statistics: statisticsOf(model, chosen, settled.criterion, context) } : {};
  const pruner = new Pruner({ chosen, settled, schedule, seed, ...statistics });
  const free = withoutSparsity(model, chosen);
  const { model: trained } = await trainForPass(free, training, context, {
    ...keepingCodes(free),
    ...{ teacher: model, companion: pruner, bestFrom: firstEpoch(schedule, training.epochs) },
  });
  return withSparsity(trained, chosen, pruner.sparsities);
}

function reorderNote(moved: boolean): string {
  return moved
    ? 'hidden units changed places: weight by weight the model cannot be compared with the one before'
    : 'no units can change places: they are coded, pruned before, or seen from outside';
}

/** Matrices that became no faster, because what is left lies all over them. */
function stillMultiplied(model: Model, chosen: readonly Chosen[]): string[] {
  const slow = chosen.flatMap(({ place: { node, role, weight: name, gates } }) => {
    const weight = model.weights[name]!;
    const address = `${node.name}/${role}`;
    return executedWeights(weight, weight.shape[0]! / (gates?.length ?? 1), address) < sizeOf(weight.shape)
      ? []
      : [address];
  });
  if (slow.length === 0) return [];
  return [
    `${slow.join(', ')}: the file shrinks, but the kernels multiply every weight: they leave out blocks of 8×4 (--block), and single weights of float32 matrices where hardly any are left`,
  ];
}
