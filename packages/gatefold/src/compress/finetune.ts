import { decode, type Model } from '@gatefold/runtime';
import { encodingName } from '../evaluate/index.ts';
import type { TrainOptions } from '../train/index.ts';
import type { PassChange, PassContext, PassResult } from './pass.ts';
import { keepZeros } from './prune/implied.ts';
import { type TrainSettings, trainForPass } from './train-settings.ts';

/**
 * Goes on training a model on data. Weights that are coded stay coded: their codes and scales are what is trained. Weights that were
 * removed stay removed, whichever tool removed them.
 * @throws DATA_INVALID, MODEL_UNSUPPORTED, TRAINING_DIVERGED
 */
export async function finetune(model: Model, settings: TrainSettings, context: PassContext): Promise<PassResult> {
  const start = keepZeros(model);
  const { model: trained } = await trainForPass(start, settings, context, keepingCodes(start));
  return { model: trained, changes: changesBetween(model, trained), warnings: [] };
}

/** For training a model on: the codes that it has stay, where it has any. */
export function keepingCodes(model: Model): Pick<TrainOptions, 'coded'> {
  return Object.values(model.weights).some(({ encoding }) => encoding.kind !== 'dense') ? { coded: model } : {};
}

/** What training did to every weight: how far it moved. */
export function changesBetween(before: Model, after: Model): PassChange[] {
  return Object.entries(after.weights).flatMap(([name, weight]) => {
    const old = before.weights[name]!;
    const [a, b] = [decode(old), decode(weight)];
    let moved = 0;
    let power = 0;
    for (let i = 0; i < a.length; i++) {
      moved += (a[i]! - b[i]!) ** 2;
      power += a[i]! ** 2;
    }
    if (moved === 0) return [];
    return [
      {
        place: name,
        before: encodingName(old),
        after: encodingName(weight),
        ...(power > 0 ? { relativeError: Math.sqrt(moved / power) } : {}),
      },
    ];
  });
}
