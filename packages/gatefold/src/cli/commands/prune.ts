import { fail } from '@gatefold/runtime';
import { given, type PruneOptions, scanSensitivity } from '../../compress/index.ts';
import { evaluate, mainMetric } from '../../evaluate/index.ts';
import { checkOutput } from '../../node/files.ts';
import { type ScanReport, scanHtml, scanText } from '../../report/index.ts';
import type { Context } from '../context.ts';
import { calibrationFor, calibrationFrom, dataFor } from '../data-source.ts';
import { openModel } from '../open.ts';
import { pruneStep, stepOf } from '../prune-step.ts';
import { compressWith } from './compress.ts';
import type { CompressFlags } from './compress-flags.ts';

type PruneFlags = Omit<CompressFlags, 'output'> &
  Record<string, unknown> & { readonly output?: string; readonly scan?: readonly number[] | true };

/** Removes weights, or measures what each matrix and gate can lose. */
export async function prune(context: Context, path: string, flags: PruneFlags): Promise<void> {
  if (flags.scan !== undefined) return scan(context, path, flags);
  if (flags.output === undefined) {
    fail('OPTION_INVALID', 'option "-o" is missing: the file to write', {
      place: '-o',
      hint: '--scan alone writes none',
    });
  }
  await compressWith(context, path, { version: 1, steps: [stepOf(flags)] }, { ...flags, output: flags.output });
}

const usual = [0.5, 0.7, 0.8, 0.9, 0.95] as const;

async function scan(context: Context, path: string, flags: PruneFlags): Promise<void> {
  if (flags.output !== undefined || flags.epochs !== undefined) {
    const place = flags.output === undefined ? '--epochs' : '-o';
    fail('OPTION_INVALID', 'a scan changes nothing: it measures one matrix after the other', { place });
  }
  if (flags.html) checkOutput(flags.html, context.force);
  const shares = flags.scan === true ? usual : flags.scan!;
  const { model } = await openModel(context, path, flags);
  const dataset = await dataFor(flags, model, flags.data);
  if (!dataset?.targets || dataset.task === 'custom') {
    fail('OPTION_INVALID', '--scan needs data with targets, and a task that is judged by one metric', {
      place: '--scan',
      hint: 'give them with --data',
    });
  }
  const { name } = mainMetric(dataset.task);
  const { pass: _, sparsity: __, ...options } = pruneStep({ ...flags, sparsity: shares[0] });
  const training = (await dataFor(flags, model, flags.train)) ?? dataset;
  const judge = async (candidate: typeof model) => {
    return (await evaluate(candidate, dataset, { signal: context.signal })).metrics[name]!;
  };
  const baseline = await judge(model);
  const places = await scanSensitivity(
    model,
    shares,
    given(options) as PruneOptions,
    {
      training,
      calibration: (await calibrationFor(flags, model)) ?? calibrationFrom(training),
      seed: context.seed,
      signal: context.signal,
      onProgress: (done, total, what) => context.progress.update(done, total, `scanning ${what}`),
    },
    judge,
  );
  context.progress.done();
  const report: ScanReport = { model: model.name, data: dataset.name, metric: name, baseline, shares, places };
  if (flags.html) await context.save([[flags.html, await scanHtml(report)]]);
  context.result(report, () => [scanText(report), ...(flags.html ? ['', `report: ${flags.html}`] : [])].join('\n'));
}
