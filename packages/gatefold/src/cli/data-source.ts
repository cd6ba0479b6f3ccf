import { fail, type Model } from '@gatefold/runtime';
import type { Calibration } from '../compress/index.ts';
import { batches, type Dataset, fitToModel, sliceDataset, sliceSteps } from '../data/index.ts';
import { type KnownModel, type LoadDataOptions, loadData } from '../node/data.ts';
import type { DataFlags } from './data-options.ts';

/** The data set that one of the options names, fitted to the model; undefined without a source. */
export async function dataFor(
  flags: DataFlags,
  model: Model,
  source: string | undefined,
): Promise<Dataset | undefined> {
  refuseIdle(flags);
  return source === undefined ? undefined : fitToModel(await load(flags, source, {}, model), model);
}

/** Data for a model that is yet to be trained: with the symbols, labels and front end that are `known`, or their own. */
export async function dataForNew(flags: DataFlags, source: string, known?: KnownModel): Promise<Dataset> {
  refuseIdle(flags);
  return load(flags, source, { ownVocabulary: true }, known);
}

/** What data say of symbols, labels and front end, for others that shall be like them. */
export function knownFrom({ classes, frontEnd }: Dataset): KnownModel {
  return { metadata: { vocabulary: classes, labels: classes, ...(frontEnd ? { frontEnd } : {}) } };
}

async function load(flags: DataFlags, source: string, more: LoadDataOptions, model?: KnownModel): Promise<Dataset> {
  const data = await loadData(source, { ...optionsOf(flags), ...more }, model);
  if (flags.frontEnd !== undefined && !data.frontEnd) {
    fail('OPTION_INVALID', 'option "--front-end" is for sounds', { place: '--front-end', found: source });
  }
  if (flags.blank === undefined) return data;
  if (data.task !== 'transcribe') {
    fail('OPTION_INVALID', 'option "--blank" is for --task transcribe', { place: '--blank', found: data.task });
  }
  return { ...data, blank: flags.blank };
}

function optionsOf(flags: DataFlags): LoadDataOptions {
  const { task, column, window, vocabulary, limit, split, frontEnd } = flags;
  return {
    ...(task ? { task } : {}),
    ...(column ? { target: column } : {}),
    ...(window ? { window } : {}),
    ...(vocabulary ? { vocabulary } : {}),
    ...(limit ? { limit } : {}),
    ...(split ? { split } : {}),
    ...(frontEnd === undefined ? {} : { frontEnd }),
  };
}

/** Options of one kind of file say nothing of another: who gives them expects something. */
function refuseIdle(flags: DataFlags & { readonly train?: string; readonly valid?: string }): void {
  const sources = [flags.data, flags.calibrate, flags.train, flags.valid].filter((source) => source !== undefined);
  if (flags.split && !sources.some((source) => /:(train|valid|test)$/.test(source) && !/\.[cm]?js:/.test(source))) {
    fail('OPTION_INVALID', 'option "--split" needs data of which it is a part', {
      place: '--split',
      expected: 'a file with :train, :valid or :test behind its name',
      found: sources.join(', ') || 'no data',
    });
  }
  for (const [option, extension] of [
    ['column', 'csv'],
    ['window', 'csv'],
    ['vocabulary', 'txt'],
    ['limit', 'txt'],
  ] as const) {
    const kind = new RegExp(`\\.${extension}(:\\w+)?$`, 'i');
    if (flags[option] !== undefined && !sources.some((source) => kind.test(source))) {
      fail('OPTION_INVALID', `option "--${option}" is for .${extension} data`, {
        place: `--${option}`,
        found: sources.join(', ') || 'no data',
      });
    }
  }
}

/** At most so many examples are looked at to calibrate. */
const calibrationExamples = 512;
/** … and so many steps of a single text. */
const calibrationSteps = 32_768;

/** Calibration batches from --calibrate; a pass asks for them as often as it needs. */
export async function calibrationFor(flags: DataFlags, model: Model): Promise<Calibration | undefined> {
  const dataset = await dataFor(flags, model, flags.calibrate);
  return dataset && calibrationFrom(dataset);
}

export function calibrationFrom(dataset: Dataset): Calibration {
  const few =
    dataset.count === 1
      ? sliceSteps(
          dataset,
          0,
          Math.min(calibrationSteps, dataset.inputs[Object.keys(dataset.inputs)[0]!]!.shape[1] ?? 1),
        )
      : sliceDataset(dataset, 0, Math.min(calibrationExamples, dataset.count));
  return (model) => batches(fitToModel(few ?? dataset, model), 64);
}
