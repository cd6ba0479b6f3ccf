import { existsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { fail, type Model, usesOf, validate } from '@gatefold/runtime';
import { match, placeOf, requireMatch } from '../../compress/address.ts';
import { keepingCodes } from '../../compress/finetune.ts';
import { given } from '../../compress/given.ts';
import { keepZeros, type SparseStart, sparseFromStart } from '../../compress/prune/index.ts';
import { trainOptionsOf } from '../../compress/train-settings.ts';
import { type Dataset, fitToModel } from '../../data/index.ts';
import { evaluate, mainMetric } from '../../evaluate/index.ts';
import type { KnownModel } from '../../node/data.ts';
import { type LoadOptions, loadArchitecture, loadModel, loadWritten } from '../../node/load.ts';
import { trainWorkers } from '../../node/workers.ts';
import { showBytes, showMetric } from '../../report/index.ts';
import {
  holdOut,
  initialised,
  metadataOf,
  modelFor,
  type TrainEvent,
  type TrainOptions,
  type TrainResult,
  train,
  WasmBackend,
} from '../../train/index.ts';
import type { Context } from '../context.ts';
import type { DataFlags } from '../data-options.ts';
import { dataFor, dataForNew, knownFrom } from '../data-source.ts';
import { Interrupt } from '../interrupt.ts';
import { openLog } from '../log.ts';
import { openModel } from '../open.ts';
import { StepCheckpoints } from '../step-checkpoints.ts';
import type { TrainFlags } from '../train-options.ts';
import { checkTarget, saveModel } from './convert.ts';

type Flags = DataFlags & TrainFlags & LoadOptions & { readonly output: string };

interface Prepared {
  readonly model: Model;
  readonly data: Dataset;
  /** What judges after each epoch; where nothing does, the last epoch is kept. */
  readonly valid?: Dataset;
  /** The file the model came from. */
  readonly source?: Uint8Array;
  readonly epochs: number;
  readonly sparse?: SparseStart;
}

/** A new model from data. */
export async function trainNew(context: Context, flags: Flags): Promise<void> {
  checkTarget(context, flags.output);
  if (!flags.arch) {
    fail('OPTION_INVALID', 'say which layers the model shall have', {
      place: '--arch',
      expected: 'for instance --arch "lstm:128 dense", or a file: Keras\' JSON of a model, or a model',
    });
  }
  const file = existsSync(flags.arch) ? await loadArchitecture(flags.arch, flags.fix) : undefined;
  const whole = await dataForNew(flags, flags.data!, file && knownTo(file));
  const model = file ? newFrom(file, whole, context.seed) : modelFor(flags.arch, whole, context.seed);
  const judge = flags.valid === undefined ? undefined : await dataForNew(flags, flags.valid, knownFrom(whole));
  const epochs = flags.epochs ?? 10;
  const sparse = sparseOf(flags, model, { seed: context.seed, epochs });
  const prepared = { model: sparse?.model ?? model, ...parted(context, flags, whole, judge), epochs };
  await run(context, flags, { ...prepared, ...(sparse ? { sparse } : {}) });
}

/** What a network that was read from a file already says of its data; undefined where that is nothing. */
function knownTo({ metadata }: Model): KnownModel | undefined {
  return ['vocabulary', 'labels', 'frontEnd'].some((key) => metadata[key] !== undefined) ? { metadata } : undefined;
}

/** The network of a file with new weights. What was done to the old ones is no part of it. */
function newFrom(file: Model, dataset: Dataset, seed: number): Model {
  const { recipes: _, ...metadata } = file.metadata;
  const model = initialised(file, seed);
  return { ...model, metadata: { ...metadata, ...metadataOf(fitToModel(dataset, model)) } };
}

function sparseOf(
  { sparsity, block }: TrainFlags,
  model: Model,
  how: { readonly seed: number; readonly epochs: number },
): SparseStart | undefined {
  if (sparsity !== undefined) return sparseFromStart(model, { sparsity, ...(block ? { block } : {}) }, how);
  if (block) fail('OPTION_INVALID', 'option "--block" is for sparse training: add --sparsity', { place: '--block' });
  return undefined;
}

/** A model that was trained before goes on learning; what was removed from it stays removed. */
export async function finetune(context: Context, path: string, flags: Flags): Promise<void> {
  checkTarget(context, flags.output);
  const { model: read, source } = await openModel(context, path, flags);
  const model = keepZeros(read);
  const whole = (await dataFor(flags, model, flags.data))!;
  const judge = await dataFor(flags, model, flags.valid);
  await run(context, flags, { model, source, ...parted(context, flags, whole, judge), epochs: flags.epochs ?? 3 });
}

function parted(
  context: Context,
  { holdOut: share = 0.1 }: TrainFlags,
  whole: Dataset,
  judge: Dataset | undefined,
): { data: Dataset; valid?: Dataset } {
  if (whole.frontEnd && !whole.targets) {
    fail('DATA_INVALID', 'the recordings have no labels to learn', {
      place: whole.name,
      expected: 'a sub-folder per class, or a table that tells what each recording is',
    });
  }
  if (judge) return { data: whole, valid: judge };
  if (share === 0) return { data: whole };
  const { train: data, valid } = holdOut(whole, share, context.seed);
  context.note(`no --valid: ${(share * 100).toFixed(0)} % of ${whole.name} is held out to judge with`);
  return { data, valid };
}

async function run(context: Context, flags: Flags, prepared: Prepared): Promise<void> {
  const { model, valid, data } = prepared;
  const checkpoint = flags.checkpoint ?? `${flags.output}.checkpoint`;
  const checkpoints = await StepCheckpoints.at(context, checkpoint, flags.resume ?? false);
  const { resume, save } = checkpoints.of(0);
  const judged = fitToModel(valid ?? data, model);
  const { name, better } = mainMetric(judged.task);
  const judge = async (candidate: Model) => (await evaluate(candidate, judged)).metrics[name]!;
  const before = prepared.source ? await judge(model) : undefined;
  const epochsSeen: Record<string, unknown>[] = [];
  const interrupt = new Interrupt();
  interrupt.heed(true);
  const workers = trainWorkers(flags.threads ?? 1);
  const log = flags.log === undefined ? undefined : await openLog(flags.log, () => interrupt.now());
  let result: TrainResult;
  try {
    result = await train(model, prepared.data, {
      ...(await optionsOf(flags, prepared, context.seed)),
      ...given({ resume }),
      ...keepingCodes(model),
      ...prepared.sparse?.training,
      ...(workers ? { workers } : {}),
      backend: new WasmBackend(Math.min(2 ** 31, Math.floor(totalmem() / (flags.threads ?? 1) / 4) * 4)),
      signal: AbortSignal.any([context.signal, interrupt.signal]),
      ...(valid ? { validate: async (candidate) => (better === 'less' ? 1 : -1) * (await judge(candidate)) } : {}),
      onCheckpoint: save,
      onEvent: (event) => {
        const line = describe(event, name, better);
        log?.write(line);
        if (event.kind === 'epoch') {
          epochsSeen.push(line);
          context.note(epochLine(event, prepared.epochs, name, line[name]));
        } else {
          context.progress.update(event.step, event.total, `training, loss ${event.loss.toFixed(4)}`);
        }
      },
    });
    await log?.done(`Nothing is lost: the same command with --resume goes on from ${checkpoint}`);
  } finally {
    interrupt.heed(false);
    context.progress.done();
  }
  if (result.interrupted) {
    context.note(`Interrupted. Nothing is lost: the same command with --resume goes on from ${checkpoint}`);
    process.exitCode = 130;
    if (context.options.json)
      context.result({ interrupted: true, checkpoint, steps: result.steps, epochs: epochsSeen }, '');
    return;
  }
  const trained = validate(prepared.sparse?.finish(result.model) ?? result.model);
  const bytes = await saveModel(context, flags.output, trained, prepared.source ? { source: prepared.source } : {});
  await checkpoints.remove();
  const { metrics } = await evaluate((await loadWritten(flags.output, trained)).model, judged, {
    signal: context.signal,
  });
  context.result(
    {
      output: flags.output,
      ...{
        bytes,
        steps: result.steps,
        peakBytes: result.peakBytes,
        memory: result.memory,
        epochs: epochsSeen,
        metrics,
      },
      ...(before === undefined ? {} : { before: { [name]: before } }),
    },
    () =>
      [
        `${flags.output}: ${showBytes(bytes)}, ${result.steps} steps, on ${judged.name}:`,
        ...Object.entries(metrics).map(([key, value]) => `  ${key.padEnd(14)} ${showMetric(key, value)}`),
        ...(before === undefined ? [] : [`  ${name} before: ${showMetric(name, before)}`]),
      ].join('\n'),
  );
}

async function optionsOf(flags: Flags, { model, epochs }: Prepared, seed: number): Promise<TrainOptions> {
  const { averageFrom, loss: kind, smoothing, teacherShare, temperature } = flags;
  return {
    ...trainOptionsOf({ ...flags, epochs }),
    seed,
    ...(averageFrom === undefined ? {} : { averageFrom: averageFrom - 1 }),
    checkpointEvery: 500,
    loss: given({ kind, smoothing }),
    ...(flags.freeze ? { trained: trainedWithout(model, flags.freeze) } : {}),
    ...(flags.teacher
      ? {
          teacher: {
            model: (await loadModel(flags.teacher)).model,
            ...given({ share: teacherShare, temperature }),
          },
        }
      : {}),
  };
}

/** Which weights are trained where some are frozen. @throws TARGET_EMPTY */
function trainedWithout(model: Model, frozen: readonly string[]): (name: string) => boolean {
  const places = usesOf(model).map(placeOf);
  for (const address of frozen) requireMatch(address, places);
  const names = new Set(
    places.filter((place) => frozen.some((address) => match(address, place) === 'all')).map(({ weight }) => weight),
  );
  return (name) => !names.has(name);
}

/** An event as the log holds it: validation under its metric's name. */
function describe(event: TrainEvent, metric: string, better: 'more' | 'less'): Record<string, unknown> {
  if (event.kind === 'step') return { ...event };
  const { validation, ...rest } = event;
  const judged = validation === undefined ? {} : { [metric]: better === 'less' ? validation : -validation };
  return { ...rest, epoch: rest.epoch + 1, ...judged };
}

function epochLine(
  { epoch, loss, best, seconds }: Extract<TrainEvent, { kind: 'epoch' }>,
  epochs: number,
  metric: string,
  value: unknown,
): string {
  const mark = best ? '  best so far' : '';
  const judged = typeof value === 'number' ? `, ${metric} ${showMetric(metric, value)}` : '';
  return `epoch ${epoch + 1} of ${epochs}: loss ${loss.toFixed(4)}${judged}, ${seconds.toFixed(1)} s${mark}`;
}
