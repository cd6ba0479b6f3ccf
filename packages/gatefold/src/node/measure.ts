import { cpus } from 'node:os';
import { bestEngine, createSession, type Engine, type Model } from '@gatefold/runtime';
import { type Dataset, fitToModel } from '../data/index.ts';
import {
  compareWeights,
  costsOf,
  driftBetween,
  type EvaluateOptions,
  evaluateAll,
  timeSteps,
} from '../evaluate/index.ts';
import type { Candidate, Report } from '../report/index.ts';
import { brotliBytes } from './brotli.ts';

/** A model to be measured, under the name it shall have. */
export interface Subject {
  readonly name: string;
  readonly model: Model;
  readonly file?: string;
}

export interface MeasureOptions extends EvaluateOptions {
  readonly title: string;
  /** What the data are, in words. */
  readonly dataName?: string;
  /** Steps of the drift measurement; 0 for none. */
  readonly driftSteps?: number;
}

/**
 * Measures models side by side: metrics and agreement on the data, costs, µs per step in turns, drift along one stream,
 * errors of the weights. The first is what the others are compared with.
 */
export async function measureReport(
  subjects: readonly Subject[],
  dataset: Dataset | undefined,
  options: MeasureOptions,
): Promise<Report> {
  const models = subjects.map(({ model }) => model);
  const results = dataset ? await evaluateAll(models, dataset, options) : undefined;
  const times = timeSteps(models, () => performance.now(), options.engine);
  const drift = dataset && options.driftSteps ? driftsOf(models, dataset, options.driftSteps) : [];
  const candidates = subjects.map(({ name, model, file }, i): Candidate => {
    const compared = i === 0 ? undefined : compareWeights(models[0]!, model);
    const { evaluation, versusFirst } = results?.[i] ?? {};
    return {
      name,
      ...(file ? { file } : {}),
      costs: costsOf(model, brotliBytes),
      microsecondsPerStep: times[i]!,
      ...(evaluation ? { evaluation } : {}),
      ...(versusFirst && i > 0 ? { versusFirst } : {}),
      ...(compared ?? {}),
      ...(drift[i] ? { drift: drift[i] } : {}),
    };
  });
  return {
    title: options.title,
    environment: environmentOf(options.engine ?? bestEngine()),
    candidates,
    ...(dataset ? { data: options.dataName ?? `${sizeInWords(dataset)}, task ${dataset.task}` } : {}),
  };
}

/** What the data are: examples, or the steps of a text or another single sequence. */
export function sizeInWords({ name, count, inputs, targets, task }: Dataset): string {
  const timed = [targets, ...Object.values(inputs)].find(
    (examples, i) => (examples?.shape.length ?? 0) > (i > 0 ? 2 : 1),
  );
  const steps = timed?.shape[1];
  if (count > 1 || steps === undefined) return `${name}: ${count} ${count === 1 ? 'example' : 'examples'}`;
  return `${name}: ${steps} ${task === 'language' ? 'symbols' : 'steps of one sequence'}`;
}

function environmentOf(engine: Engine): string {
  return `${engine.name} engine, Node ${process.versions.node}, ${cpus()[0]?.model ?? 'unknown processor'}`;
}

/** Models of whole sequences have no long stream to drift along, models of several inputs no one stream. */
function driftsOf(
  models: readonly Model[],
  dataset: Dataset,
  steps: number,
): (ReturnType<typeof driftBetween> | undefined)[] {
  const [first, ...others] = models.map((model) => createSession(model));
  const input = dataset.inputs[first!.inputs[0]!.name];
  if (!input || !first!.streams || first!.inputs.length > 1) return [];
  const { width } = first!.inputs[0]!;
  const rows = input.data.length / width;
  const at = (t: number) => input.data.subarray((t % rows) * width, ((t % rows) + 1) * width);
  return models.map((model, i) => {
    const own = others[i - 1];
    // Models of other vocabularies take other ids, or judge other tokens.
    const alike = () => fitToModel(dataset, model).inputs[first!.inputs[0]!.name]?.data === input.data;
    const comparable = own?.streams && own.outputs[0]!.width === first!.outputs[0]!.width && alike();
    return comparable ? driftBetween(models[0]!, model, at, steps) : undefined;
  });
}
