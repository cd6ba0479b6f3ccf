import { fail, GatefoldError, graphOf, type Model } from '@gatefold/runtime';
import { type LeftNode, partsFormat } from '../../formats/index.ts';
import { readBytes } from '../../node/files.ts';
import { loadParts } from '../../node/load.ts';
import { type Recipe, type RecipeStep, runRecipe } from '../../recipe/index.ts';
import { alignedTable, showBytes } from '../../report/index.ts';
import type { Context } from '../context.ts';
import { needsOf } from '../recipe-sources.ts';
import type { CompressFlags } from './compress-flags.ts';
import { type ChangedStep, changesText, checkBytes } from './compress-report.ts';
import { saveModel, writerOf } from './convert.ts';

/** Refusals that say that a model has no meaning here, not that its file is damaged. */
const meaningless = ['MODEL_UNSUPPORTED', 'MODEL_SHAPE', 'MODEL_INVALID', 'FILE_UNUSED', 'FILE_VERSION'];

/**
 * Why a model can only be compressed in place: the error of its reader, where layers can be put back into such a file and the
 * output is one. Throws all other errors on.
 */
export async function inPlaceReason(
  error: unknown,
  path: string,
  { output, weights }: CompressFlags,
): Promise<GatefoldError> {
  if (!(error instanceof GatefoldError) || !meaningless.includes(error.code)) throw error;
  // Weights of another file need the whole graph, and may be what does not fit.
  if (weights !== undefined) throw error;
  const format = partsFormat(await readBytes(path));
  if (format === undefined) throw error;
  if (writerOf(output).name !== format) {
    const { hint, ...detail } = error.detail;
    const own = `a file of the same format can be written: its recurrent and dense layers are then compressed in place`;
    fail(error.code, messageOf(error), { ...detail, hint: hint === undefined ? own : `${hint}; or ${own}` });
  }
  return error;
}

/** The first line of an error, without its code. */
function messageOf({ message, code }: GatefoldError): string {
  return message.split('\n')[0]!.slice(code.length + 2);
}

/**
 * Compresses the recurrent and dense layers of a file where they stand; all else keeps its bytes. Nothing is measured: what is
 * not understood cannot be run.
 * @throws OPTION_INVALID for what needs the model to run, what the passes and the writer throw
 */
export async function compressInPlace(
  context: Context,
  path: string,
  recipe: Recipe,
  flags: CompressFlags,
  reason: GatefoldError,
): Promise<void> {
  refuseRunning(flags, recipe, reason);
  const { model: parts, left: others, rest, source, beside, bytes: before } = await loadParts(path);
  const steps: ChangedStep[] = [];
  // Warnings of the passes speak of Gatefold's files and kernels.
  const { model } = await runRecipe(parts, recipe, { seed: context.seed, signal: context.signal }, (step) => {
    steps.push({ pass: step.pass, summary: step.changes });
  });
  const left = [...untouched(parts, model), ...others];
  context.note(`note: ${path} has no meaning to Gatefold as a whole: ${messageOf(reason)}`);
  context.note('note: its recurrent and dense layers were compressed in place, all else is as it was.');
  context.note('note: nothing was measured. What the compressed layers cost, the runtime of the file must show.');
  if (Object.values(model.weights).some(({ sparsity, encoding }) => sparsity && encoding.kind === 'dense')) {
    context.note('note: removed weights stand in the file as zeros; it becomes smaller where it is packed.');
  }
  const after = await saveModel(context, flags.output, model, { source, beside });
  const kept = Object.entries(rest).map(([op, count]) => (count === 1 ? op : `${op} ×${count}`));
  context.result(
    {
      ...{
        input: path,
        output: flags.output,
        inPlace: true,
        reason: { code: reason.code, message: messageOf(reason) },
      },
      ...{ recipe, steps, left, rest, bytes: { before, after } },
    },
    () =>
      [
        changesText(steps),
        '',
        ...(left.length > 0 ? [leftText(left), ''] : []),
        ...(kept.length > 0 ? [`all other nodes as they were: ${kept.join(', ')}`, ''] : []),
        `wrote ${flags.output} (${showBytes(after)}, from ${showBytes(before)})`,
      ].join('\n'),
  );
  checkBytes(flags.maxBytes, after);
}

/** Layers of which the recipe changed no matrix. */
function untouched(before: Model, after: Model): LeftNode[] {
  return graphOf(before).graph.nodes.flatMap(({ name, op, attributes, weights }) =>
    Object.values(weights).some((weight) => before.weights[weight] !== after.weights[weight])
      ? []
      : [{ name, op: String(attributes.cell ?? op), reason: 'not chosen by the targets, or too small (--smallest)' }],
  );
}

function leftText(left: readonly LeftNode[]): string {
  return alignedTable(
    ['left as it was', 'op', 'why'],
    left.map(({ name, op, reason }) => [name, op, reason]),
  );
}

/** Everything that would run the model, whose rest has no meaning here. */
function refuseRunning(flags: CompressFlags, { steps }: Recipe, reason: GatefoldError): void {
  const given = (['data', 'train', 'calibrate', 'html', 'maxDrop', 'resume'] as const).find((name) => flags[name]);
  const step = steps.find(needsRuns);
  if (given === undefined && !step) return;
  const place = given === undefined ? `the step "${step!.pass}"` : `--${given === 'maxDrop' ? 'max-drop' : given}`;
  fail('OPTION_INVALID', 'this model cannot be run here, only compressed in place without data', {
    place,
    expected: 'quantize, or prune by magnitude',
    found: messageOf(reason),
  });
}

function needsRuns(step: RecipeStep): boolean {
  const { training, calibration } = needsOf(step);
  // Units are known by what reads them, which may stand in the rest.
  return (
    training || calibration || step.pass === 'prune-units' || (step.pass === 'quantize' && step.search !== undefined)
  );
}
