import { evaluate } from '../../evaluate/index.ts';
import { checkOutput, writeBytes } from '../../node/files.ts';
import { loadModel } from '../../node/load.ts';
import { measureReport } from '../../node/measure.ts';
import { reportHtml, reportJson, reportText, showMetric } from '../../report/index.ts';
import type { Context } from '../context.ts';
import { type DataFlags, dataFor } from '../data-options.ts';
import { engineOption } from './run.ts';

export async function evalModel(
  context: Context,
  path: string,
  flags: DataFlags & { engine?: string; arch?: string; fix?: readonly string[] },
): Promise<void> {
  const { model } = await loadModel(path, flags.arch, flags.fix);
  const dataset = (await dataFor(flags, model))!;
  const result = await evaluate(model, dataset, {
    ...engineOption(flags.engine),
    signal: context.signal,
    onProgress: (done, total) => context.progress.update(done, total, 'evaluating'),
  });
  context.progress.done();
  context.result({ model: path, data: dataset.name, ...result }, () =>
    [
      `${path} on ${dataset.name}: ${result.examples} examples, ${result.task}, ${result.engine} engine`,
      ...Object.entries(result.metrics).map(([name, value]) => `  ${name.padEnd(14)} ${showMetric(name, value)}`),
    ].join('\n'),
  );
}

export async function compare(
  context: Context,
  paths: readonly string[],
  flags: DataFlags & { html?: string; drift?: string; engine?: string },
): Promise<void> {
  if (flags.html) checkOutput(flags.html, context.force);
  const subjects = [];
  for (const path of paths) subjects.push({ name: path, file: path, model: (await loadModel(path)).model });
  const dataset = await dataFor(flags, subjects[0]!.model);
  const report = await measureReport(subjects, dataset, {
    title: `${paths.slice(1).join(', ')} against ${paths[0]}`,
    driftSteps: Number(flags.drift ?? 1000),
    ...engineOption(flags.engine),
    signal: context.signal,
    onProgress: (done, total) => context.progress.update(done, total, 'evaluating'),
  });
  context.progress.done();
  if (flags.html) await writeBytes(flags.html, await reportHtml(report), context.force);
  context.result(reportJson(report), () => reportText(report) + (flags.html ? `\n\nreport: ${flags.html}` : ''));
}
