import type { Model } from '@gatefold/runtime';
import { type Calibration, dataNeeded } from '../compress/index.ts';
import type { Dataset } from '../data/index.ts';
import type { Recipe } from '../recipe/index.ts';
import { holdOut } from '../train/index.ts';
import type { Context } from './context.ts';
import type { DataFlags } from './data-options.ts';
import { calibrationFor, calibrationFrom, dataFor } from './data-source.ts';

type SourceFlags = DataFlags & { readonly train?: string };

/** Share of --data that is measured on where the rest must be learnt from. */
const measuredShare = 0.2;

/**
 * What the recipe is measured on, learns from and calibrates with. Steps that need something nobody gave learn from a part of
 * --data, and the rest measures them.
 */
export async function sourcesFor(
  context: Context,
  flags: SourceFlags,
  model: Model,
  recipe: Recipe,
): Promise<{ dataset?: Dataset; training?: Dataset; calibration?: Calibration | undefined }> {
  const needs = recipe.steps.map(needsOf);
  const calibrated = await calibrationFor(flags, model);
  const given = await dataFor(flags, model, flags.data);
  const learnt = await dataFor(flags, model, flags.train);
  const learns = needs.some((need) => need.training);
  const looks = needs.some((need) => need.calibration) && !calibrated;
  const seen = learnt ?? given;
  if (learnt || !given || !(learns || looks) || (given.task === 'custom' && learns)) {
    return {
      ...(given ? { dataset: given } : {}),
      ...(learnt ? { training: learnt } : {}),
      // Whoever gives one set of data wants it used: the model is then measured on what it was calibrated with.
      calibration: calibrated ?? (seen ? calibrationFrom(seen) : undefined),
    };
  }
  const { train: training, valid: dataset } = holdOut(given, measuredShare, context.seed);
  context.note(
    `no ${learns ? '--train' : '--calibrate'}: measured on ${measuredShare * 100} % of ${given.name}, the rest is ${learns ? 'learnt from' : 'for calibration'}`,
  );
  return {
    dataset,
    ...(learns ? { training } : {}),
    calibration: calibrated ?? (looks ? calibrationFrom(training) : undefined),
  };
}

export function trains(step: Recipe['steps'][number]): boolean {
  return step.pass === 'finetune' || ('train' in step && step.train !== undefined);
}

/** Data that a step looks at. */
export function needsOf(step: Recipe['steps'][number]): { training: boolean; calibration: boolean } {
  if (step.pass === 'prune-tokens') return { training: true, calibration: false };
  const training = trains(step);
  if (step.pass === 'prune') {
    const need = dataNeeded(step.criterion ?? 'magnitude');
    return {
      training: training || step.scope === 'measured' || need === 'training',
      calibration: need === 'calibration',
    };
  }
  if (step.pass === 'prune-units') {
    const { criterion, compensate } = step;
    const looks = criterion === 'gradient' || criterion === 'taylor';
    return { training: training || looks, calibration: criterion === 'spectral' || compensate === true };
  }
  return { training, calibration: false };
}
