import type { Model } from '@gatefold/runtime';
import type { CodingOptions } from '../../train/index.ts';
import { changesBetween } from '../finetune.ts';
import { given } from '../given.ts';
import type { PassContext, PassResult } from '../pass.ts';
import { type TrainSettings, trainForPass } from '../train-settings.ts';
import { quantize } from './index.ts';
import type { QuantizeOptions } from './options.ts';

/** How a model is trained that quantizes. */
export interface AwareSettings extends TrainSettings {
  /** Bits of linear codes on the way, from many to few; each has the same part of the first half of the run. */
  readonly progressive?: readonly number[];
  /** Rows are trained with weight normalization, whose gain is the scale of their codes. */
  readonly normalize?: boolean;
}

/** The share of the run that belongs to codes on the way. */
const onTheWay = 0.5;

/**
 * Quantization-aware training: quantizes, then trains the weights as the codes they will be saved in, scales included; starts
 * from the values before rounding.
 * @throws what `quantize` and training throw
 */
export async function quantizeAware(
  model: Model,
  options: QuantizeOptions,
  { progressive = [], normalize, ...settings }: AwareSettings,
  context: PassContext,
): Promise<PassResult> {
  const { model: coded, warnings } = quantize(model, options, context);
  const { scheme: _, ...linear } = options;
  const before = progressive.map((bits, i) => ({
    coded: quantize(model, { ...linear, bits }, context).model,
    until: (onTheWay * (i + 1)) / progressive.length,
  }));
  const coding: CodingOptions = { ...given({ normalize }), ...(before.length > 0 ? { before } : {}) };
  const { epochs = 3 } = settings;
  const { model: trained } = await trainForPass(model, settings, context, {
    ...{ coded, coding },
    // An epoch that ends on the way is judged in codes that were not yet trained.
    ...(before.length > 0 ? { bestFrom: Math.floor(epochs * onTheWay) } : {}),
  });
  return { model: trained, changes: changesBetween(model, trained), warnings };
}
