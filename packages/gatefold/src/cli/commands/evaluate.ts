import { fail } from '@gatefold/runtime';
import { evaluate } from '../../evaluate/index.ts';
import { checkOutput } from '../../node/files.ts';
import type { LoadOptions } from '../../node/load.ts';
import { measureReport, sizeInWords } from '../../node/measure.ts';
import { reportHtml, reportJson, reportText, showMetric } from '../../report/index.ts';
import type { Context } from '../context.ts';
import type { DataFlags } from '../data-options.ts';
import { dataFor } from '../data-source.ts';
import { modelNames } from '../model-names.ts';
import { openModel, openModels } from '../open.ts';
import { engineOption } from './run.ts';

export async function evalModel(
  context: Context,
  path: string,
  flags: DataFlags & LoadOptions & { engine?: string },
): Promise<void> {
  const { model } = await openModel(context, path, flags);
  const dataset = (await dataFor(flags, model, flags.data))!;
  if (!dataset.evaluate && (!dataset.targets || dataset.task === 'custom')) {
    fail('DATA_INVALID', 'there is nothing to measure', {
      place: dataset.name,
      expected: dataset.targets ? 'a task, or an evaluate of the data for task custom' : 'targets (y)',
      hint: dataset.targets ? 'say what the targets are with --task' : 'gatefold run gives the outputs alone',
    });
  }
  const result = await evaluate(model, dataset, {
    ...engineOption(flags.engine),
    signal: context.signal,
    onProgress: (done, total) => context.progress.update(done, total, 'evaluating'),
  });
  context.progress.done();
  context.result({ model: path, data: dataset.name, ...result }, () =>
    [
      `${path} on ${sizeInWords(dataset)}, task ${result.task}, ${result.engine} engine`,
      ...Object.entries(result.metrics).map(([name, value]) => `  ${name.padEnd(14)} ${showMetric(name, value)}`),
    ].join('\n'),
  );
}

export async function compare(
  context: Context,
  paths: readonly string[],
  flags: DataFlags & LoadOptions & { html?: string; drift?: number; engine?: string },
): Promise<void> {
  if (paths.length < 2) {
    fail('OPTION_INVALID', 'a comparison needs two models or more', { place: 'models', found: paths.join(', ') });
  }
  if (flags.html) checkOutput(flags.html, context.force);
  const names = modelNames(paths);
  const subjects = (await openModels(context, paths, flags)).map(({ path, model }, i) => ({
    name: names[i]!,
    file: path,
    model,
  }));
  const dataset = await dataFor(flags, subjects[0]!.model, flags.data);
  const report = await measureReport(subjects, dataset, {
    title: `${names.slice(1).join(', ')} against ${names[0]}`,
    driftSteps: flags.drift ?? 1000,
    ...engineOption(flags.engine),
    signal: context.signal,
    onProgress: (done, total) => context.progress.update(done, total, 'evaluating'),
  });
  context.progress.done();
  if (flags.html) await context.save([[flags.html, await reportHtml(report)]]);
  context.result(reportJson(report), () => reportText(report) + (flags.html ? `\n\nreport: ${flags.html}` : ''));
}
