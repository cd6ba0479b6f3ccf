import { resolve } from 'node:path';
import { crc32, fail, GatefoldError, writeGatefold } from '@gatefold/runtime';
import { withSymbols } from '../../data/index.ts';
import { evaluate, mainMetric } from '../../evaluate/index.ts';
import { checkOutput, readBytes } from '../../node/files.ts';
import { type LoadedModel, loadWritten } from '../../node/load.ts';
import { measureReport } from '../../node/measure.ts';
import { trainWorkers } from '../../node/workers.ts';
import { parseRecipe, presetByName, type Recipe, runRecipe, type StepOutcome } from '../../recipe/index.ts';
import {
  type Candidate,
  type Report,
  reportHtml,
  reportJson,
  reportText,
  sensitivityText,
  showBytes,
} from '../../report/index.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../interrupt.ts';
import { modelNames } from '../model-names.ts';
import { openModel } from '../open.ts';
import { quantizeStep } from '../quantize-step.ts';
import { sourcesFor, trains } from '../recipe-sources.ts';
import { StepCheckpoints } from '../step-checkpoints.ts';
import type { CompressFlags } from './compress-flags.ts';
import { changesText, checkBytes } from './compress-report.ts';
import { checkTarget, explicitStates, saveModel, writerOf } from './convert.ts';
import { compressInPlace, inPlaceReason } from './in-place.ts';

interface StepReport {
  readonly pass: string;
  readonly summary: StepOutcome['changes'];
  readonly warnings: readonly string[];
  readonly search?: StepOutcome['search'];
  /** Of the model after this step. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of the .gatefold file after this step. */
  readonly bytes: number;
  readonly seconds: number;
}

/** Runs a recipe on a model file: compress, write, read back, measure what was written. */
export async function compressWith(
  context: Context,
  path: string,
  recipe: Recipe,
  flags: CompressFlags,
): Promise<void> {
  checkTarget(context, flags.output);
  if (flags.html) {
    checkOutput(flags.html, context.force);
    if (resolve(flags.html) === resolve(flags.output)) {
      fail('OPTION_INVALID', 'the report would overwrite the model', { place: '--html', found: flags.html });
    }
  }
  const before = await openModel(context, path, flags).catch((error) => inPlaceReason(error, path, flags));
  if (before instanceof GatefoldError) {
    await compressInPlace(context, path, recipe, flags, before);
    return;
  }
  const { dataset, training, calibration } = await sourcesFor(context, flags, before.model, recipe);
  if (flags.maxDrop !== undefined && (!dataset?.targets || dataset.task === 'custom')) {
    fail('OPTION_INVALID', '--max-drop needs data with targets, and a task that is judged by one metric', {
      place: '--max-drop',
      hint: 'give them with --data',
    });
  }
  const place = `${flags.output}.checkpoint`;
  const run = JSON.stringify([crc32(writeGatefold(before.model)), context.seed, flags.threads ?? 1, recipe]);
  const checkpoints = await StepCheckpoints.at(context, place, flags.resume ?? false, run);
  const { finished: earlier } = checkpoints;
  const steps = [...(earlier?.reports ?? [])] as StepReport[];
  if (earlier) context.note(`going on after step ${steps.length} of ${recipe.steps.length}`);
  let start = performance.now();
  const interrupt = new Interrupt();
  const made = runRecipe(
    earlier?.model ?? withSymbols(before.model, training ?? dataset),
    recipe,
    (index) => {
      interrupt.heed(trains(recipe.steps[index]!));
      return {
        ...{ calibration, training },
        ...{ seed: context.seed, workers: trainWorkers(flags.threads ?? 1) },
        ...{ signal: AbortSignal.any([context.signal, interrupt.signal]), checkpoints: checkpoints.of(index) },
        onProgress: (done, total, what) => context.progress.update(done, total, `compressing ${what}`),
      };
    },
    async ({ pass, changes, warnings, search, model: made }, index) => {
      const seconds = (performance.now() - start) / 1000;
      const between = dataset && index < recipe.steps.length - 1;
      const onProgress = (done: number, total: number) => context.progress.update(done, total, 'evaluating the step');
      const metrics = between ? (await evaluate(made, dataset, { signal: context.signal, onProgress })).metrics : {};
      const bytes = writeGatefold(made).length;
      steps.push({ pass, summary: changes, warnings, metrics, bytes, seconds, ...(search ? { search } : {}) });
      if (index < recipe.steps.length - 1 && recipe.steps.some(trains)) await checkpoints.finish(made, steps);
      start = performance.now();
    },
    steps.length,
  );
  const finished = await made
    .catch((error) => {
      if (!checkpoints.saved) throw error;
      context.note(`${place} is kept: the same command with --resume goes on from it`);
      if (!interrupt.signal.aborted) throw error;
      return undefined;
    })
    .finally(() => {
      interrupt.heed(false);
      context.progress.done();
    });
  if (!finished) {
    process.exitCode = 130;
    if (context.options.json) context.result({ interrupted: true, checkpoint: place }, '');
    return;
  }
  const { model } = finished;
  for (const warning of new Set(steps.flatMap((step) => step.warnings))) context.note(`note: ${warning}`);
  await saveModel(context, flags.output, model, {
    ...{ source: before.source, calibration, integerPorts: flags.integerPorts },
    explicitStates: explicitStates(flags.states),
  });
  await checkpoints.remove();
  // What is measured is what was written.
  const after = await loadWritten(flags.output, model);
  const [name, madeName] = modelNames([path, flags.output]);
  const report = await measureReport(
    [
      { name: name!, file: path, model: before.model },
      { name: madeName!, file: flags.output, model: after.model },
    ],
    dataset,
    {
      title: `${name} → ${madeName}`,
      driftSteps: dataset ? 1000 : 0,
      signal: context.signal,
      onProgress: (done, total) => context.progress.update(done, total, 'evaluating'),
    },
  );
  context.progress.done();
  for (const worse of regressions(report)) context.note(`note: ${worse}`);
  // The last step made what was written.
  const { evaluation, costs } = report.candidates[1]!;
  steps[steps.length - 1] = { ...steps.at(-1)!, metrics: evaluation?.metrics ?? {}, bytes: costs.bytes };
  if (flags.html) await context.save([[flags.html, await reportHtml(report)]]);
  context.result({ ...reportJson(report), output: flags.output, recipe, steps }, () =>
    [
      ...steps.flatMap(({ search }) => (search ? [sensitivityText(search), ''] : [])),
      changesText(steps),
      '',
      reportText(report),
      '',
      `wrote ${flags.output} (${showBytes(after.bytes)})`,
      ...(flags.html ? [`report: ${flags.html}`] : []),
    ].join('\n'),
  );
  checkGoals(
    flags,
    after,
    report.candidates.map((candidate) => candidate.evaluation?.metrics),
    dataset?.task,
  );
}

/**
 * What the recipe made worse than it was: who compresses wants to know. Times differ a little from run to run, and a file holds
 * the recipe too.
 */
function regressions({ candidates }: Report): string[] {
  const [a, b] = candidates as [Candidate, Candidate];
  const [before, after] = [a.costs.bytes, b.costs.bytes];
  const [slow, slower] = [a.microsecondsPerStep, b.microsecondsPerStep];
  return [
    ...(after > 1.005 * before ? [`as .gatefold the file is larger: ${showBytes(before)} → ${showBytes(after)}`] : []),
    ...(slow && slower && slower > 1.3 * slow
      ? [`the step is slower: ${slow.toFixed(1)} → ${slower.toFixed(1)} µs`]
      : []),
  ];
}

/** @throws GOAL_MISSED */
function checkGoals(
  { maxDrop, maxBytes }: CompressFlags,
  after: LoadedModel,
  [a, b]: readonly (Readonly<Record<string, number>> | undefined)[],
  task: Parameters<typeof mainMetric>[0] | undefined,
): void {
  checkBytes(maxBytes, after.bytes);
  if (maxDrop === undefined) return;
  if (!a || !b || !task) return;
  const { name, better, share } = mainMetric(task);
  // Points for shares, per cent for errors and perplexities.
  const worse = better === 'more' ? a[name]! - b[name]! : b[name]! - a[name]!;
  const drop = (share ? worse : worse / a[name]!) * 100;
  if (drop > maxDrop) {
    fail('GOAL_MISSED', `${name} became worse than asked`, {
      place: '--max-drop',
      expected: `at most ${maxDrop}`,
      found: drop.toFixed(3),
    });
  }
}

export async function compress(context: Context, path: string, flags: CompressFlags): Promise<void> {
  if ((flags.recipe === undefined) === (flags.preset === undefined)) {
    fail('OPTION_INVALID', 'give either a recipe or a preset', { place: '--recipe, --preset' });
  }
  const recipe =
    flags.preset !== undefined
      ? presetByName(flags.preset)
      : parseRecipe(new TextDecoder().decode(await readBytes(flags.recipe!)), flags.recipe);
  await compressWith(context, path, recipe, flags);
}

export async function quantize(
  context: Context,
  path: string,
  flags: CompressFlags & Record<string, unknown>,
): Promise<void> {
  const { quantizeDefaults, codedAlike, title } = writerOf(flags.output);
  const step = quantizeStep({ ...quantizeDefaults, ...flags });
  if (step.search && codedAlike) {
    fail('OPTION_INVALID', `a search gives weights precisions of their own, which ${title} does not hold`, {
      place: '--search',
      hint: 'write another format, or give one precision with --bits',
    });
  }
  const needs =
    (step.biasCorrection && '--bias-correction') ||
    (step.operandScale === 'static' && '--operand-scale static') ||
    (step.compensation === 'obs' && '--compensation obs') ||
    (step.search && '--search');
  if (needs && flags.calibrate === undefined) {
    fail('OPTION_INVALID', `${needs} needs calibration data`, { place: needs, hint: 'give them with --calibrate' });
  }
  await compressWith(context, path, { version: 1, steps: [step] }, flags);
}
