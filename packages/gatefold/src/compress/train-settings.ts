import { fail, type Model } from '@gatefold/runtime';
import { fitToModel } from '../data/index.ts';
import { evaluate, mainMetric } from '../evaluate/index.ts';
import { holdOut, type TrainOptions, type TrainResult, train } from '../train/index.ts';
import { given } from './given.ts';
import type { PassContext } from './pass.ts';

/** How a pass trains, where it does. */
export interface TrainSettings {
  readonly epochs?: number;
  readonly batch?: number;
  /** Steps of a text to differentiate through. */
  readonly bptt?: number;
  readonly optimizer?: 'adam' | 'sgd';
  readonly rate?: number;
  /** For sgd. */
  readonly momentum?: number;
  readonly decay?: number;
  readonly clip?: number;
  readonly schedule?: 'constant' | 'step' | 'cosine' | 'oneCycle' | 'plateau';
  /** Steps over which the rate rises first. */
  readonly warmup?: number;
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  readonly patience?: number;
  /** Share of the loss that comes from the outputs of the model before the pass. */
  readonly distill?: number;
  readonly temperature?: number;
  /** Share of the training data that is held out to choose the best epoch; default 0.1. With 0 the last epoch counts. */
  readonly holdOut?: number;
}

/** The settings as the trainer takes them, with the defaults of all who train: three epochs of Adam, gradients clipped, a cosine. */
export function trainOptionsOf(settings: TrainSettings): Omit<TrainOptions, 'seed'> {
  const { epochs = 3, batch, bptt, dropout, recurrentDropout, patience, warmup } = settings;
  const { optimizer = 'adam', clip = 1, schedule = 'cosine', rate, momentum, decay } = settings;
  return {
    ...{ epochs, ...given({ batch, window: bptt, dropout, recurrentDropout, patience }) },
    optimizer: { name: optimizer, clipNorm: clip, ...given({ rate, momentum, decay }) },
    schedule: { name: schedule, ...given({ warmup }) },
  };
}

/**
 * Trains for a pass, on the context's training data, judged on a part of them.
 * @throws DATA_INVALID without training data
 */
export async function trainForPass(
  model: Model,
  settings: TrainSettings,
  context: PassContext,
  more: Pick<TrainOptions, 'coded' | 'coding' | 'companion' | 'bestFrom'> & {
    /** The model whose outputs are learnt from; default the one that is trained. */
    readonly teacher?: Model;
    /** Keep what stands at the end rather than the best epoch, and hold nothing out. */
    readonly last?: boolean;
  },
): Promise<TrainResult> {
  if (!context.training) {
    fail('DATA_INVALID', 'training needs data to learn from', { hint: 'give them with --train' });
  }
  const { seed = 1, checkpoints } = context;
  const { teacher = model, last = false, ...options } = more;
  const whole = fitToModel(context.training, model);
  const { holdOut: share = 0.1 } = settings;
  const parts = last || share === 0 ? undefined : holdOut(whole, share, seed);
  const { name, better } = mainMetric(whole.task);
  const { distill, temperature } = settings;
  const { signal, workers } = context;
  const result = await train(model, parts?.train ?? whole, {
    ...trainOptionsOf(settings),
    ...options,
    ...{ seed, ...given({ signal, workers }) },
    ...(distill ? { teacher: { model: teacher, share: distill, ...given({ temperature }) } } : {}),
    ...(checkpoints ? { checkpointEvery: 500, onCheckpoint: checkpoints.save } : {}),
    ...(checkpoints?.resume ? { resume: checkpoints.resume } : {}),
    ...(parts
      ? {
          validate: async (candidate: Model) => {
            const { metrics } = await evaluate(candidate, parts.valid, given({ signal }));
            return better === 'less' ? metrics[name]! : -metrics[name]!;
          },
        }
      : {}),
    onEvent: (event) => {
      if (event.kind === 'step')
        context.onProgress?.(event.step, event.total, `training, loss ${event.loss.toFixed(4)}`);
    },
  });
  context.signal?.throwIfAborted();
  return result;
}
