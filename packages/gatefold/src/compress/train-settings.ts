import { fail, type Model } from '@gatefold/runtime';
import { fitToModel } from '../data/index.ts';
import { evaluate, mainMetric } from '../evaluate/index.ts';
import { holdOut, type TrainOptions, type TrainResult, train } from '../train/index.ts';
import type { PassContext } from './pass.ts';

/** How a pass trains, where it does. */
export interface TrainSettings {
  readonly epochs?: number;
  readonly batch?: number;
  /** Steps of a text to differentiate through. */
  readonly bptt?: number;
  readonly optimizer?: 'adam' | 'sgd';
  readonly rate?: number;
  readonly decay?: number;
  readonly clip?: number;
  readonly schedule?: 'constant' | 'step' | 'cosine' | 'oneCycle' | 'plateau';
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  readonly patience?: number;
  /** Share of the loss that comes from the outputs of the model before the pass. */
  readonly distill?: number;
  readonly temperature?: number;
  /** Share of the training data that is held out to choose the best epoch; default 0.1. */
  readonly holdOut?: number;
}

/**
 * Trains for a pass, on the context's training data, judged on a part of them.
 * @throws DATA_INVALID without training data
 */
export async function trainForPass(
  model: Model,
  settings: TrainSettings,
  context: PassContext,
  { teacher = model, ...more }: Pick<TrainOptions, 'coded' | 'companion' | 'bestFrom'> & { readonly teacher?: Model },
): Promise<TrainResult> {
  if (!context.training) {
    fail('DATA_INVALID', 'training needs data to learn from', { hint: 'give them with --train' });
  }
  const { seed = 1, checkpoints } = context;
  const { train: data, valid } = holdOut(fitToModel(context.training, model), settings.holdOut ?? 0.1, seed);
  const { name, better } = mainMetric(valid.task);
  const { epochs = 3, optimizer = 'adam', clip = 1, schedule = 'cosine', distill } = settings;
  const result = await train(model, data, {
    ...more,
    ...{ epochs, seed },
    ...given('batch', settings.batch),
    ...given('window', settings.bptt),
    ...given('dropout', settings.dropout),
    ...given('recurrentDropout', settings.recurrentDropout),
    ...given('patience', settings.patience),
    optimizer: { name: optimizer, clipNorm: clip, ...given('rate', settings.rate), ...given('decay', settings.decay) },
    schedule: { name: schedule },
    ...(distill ? { teacher: { model: teacher, share: distill, ...given('temperature', settings.temperature) } } : {}),
    ...(context.signal ? { signal: context.signal } : {}),
    ...(context.workers ? { workers: context.workers } : {}),
    ...(checkpoints ? { checkpointEvery: 500, onCheckpoint: checkpoints.save } : {}),
    ...(checkpoints?.resume ? { resume: checkpoints.resume } : {}),
    validate: async (candidate) => {
      const { metrics } = await evaluate(candidate, valid, context.signal ? { signal: context.signal } : {});
      return better === 'less' ? metrics[name]! : -metrics[name]!;
    },
    onEvent: (event) => {
      if (event.kind === 'step')
        context.onProgress?.(event.step, event.total, `training, loss ${event.loss.toFixed(4)}`);
    },
  });
  context.signal?.throwIfAborted();
  return result;
}

function given<K extends string>(name: K, value: number | undefined): Partial<Record<K, number>> {
  return (value === undefined ? {} : { [name]: value }) as Partial<Record<K, number>>;
}
