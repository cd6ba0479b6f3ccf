import type { Model } from '@gatefold/runtime';
import { changesBetween } from '../finetune.ts';
import type { PassContext, PassResult } from '../pass.ts';
import { type TrainSettings, trainForPass } from '../train-settings.ts';
import { quantize } from './index.ts';
import type { QuantizeOptions } from './options.ts';

/**
 * Quantization-aware training: quantizes, then trains the weights as the codes they will be saved in, scales included; starts
 * from the values before rounding.
 * @throws what `quantize` and training throw
 */
export async function quantizeAware(
  model: Model,
  options: QuantizeOptions,
  settings: TrainSettings,
  context: PassContext,
): Promise<PassResult> {
  const { model: coded, warnings } = quantize(model, options, context);
  const { model: trained } = await trainForPass(model, settings, context, { coded });
  return { model: trained, changes: changesBetween(model, trained), warnings };
}
