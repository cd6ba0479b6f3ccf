import { createSession, type Engine, fail, graphOf, type Model, type Session, type Tensor } from '@gatefold/runtime';
import { type Batch, batches, type Dataset, fitToModel } from '../data/index.ts';
import { MetricSums } from './metrics.ts';
import { ownMetrics } from './own-metrics.ts';
import { type Agreement, PairSums } from './pair-sums.ts';

export interface EvaluateOptions {
  readonly engine?: Engine;
  /** Examples per call; default by size. */
  readonly batch?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  readonly task: Dataset['task'];
  readonly engine: string;
  readonly examples: number;
  /** The task's metrics, and then the data's own. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Names of the metrics that the data brought themselves. */
  readonly own?: readonly string[];
}

/** Whether the first output comes out of a softmax. */
function givesProbabilities(model: Model): boolean {
  const { graph } = graphOf(model);
  const value = graph.outputs[0]?.value;
  return graph.nodes.some((node) => node.op === 'softmax' && Object.values(node.outputs).includes(value ?? ''));
}

/** Steps a call may take together; more only costs memory. */
const rowsPerCall = 8192;

function batchSize(dataset: Dataset): number {
  const [first] = Object.values(dataset.inputs);
  const steps = first!.shape.length > 2 || dataset.task === 'language' ? first!.shape[1]! : 1;
  return Math.max(1, Math.min(256, Math.floor(rowsPerCall / steps)));
}

/** Runs all models over the data side by side and hands each batch's first outputs to `see`. */
async function sweep(
  models: readonly Model[],
  dataset: Dataset,
  { engine, batch, onProgress, signal }: EvaluateOptions,
  see: (outputs: readonly Tensor[], batch: Batch) => void,
): Promise<Session[]> {
  const sessions = models.map((model) => createSession(model, engine ? { engine } : {}));
  const fitted = models.map((model) => fitToModel(dataset, model));
  const streams = fitted.map((data) => batches(data, batch ?? batchSize(dataset)));
  let last = Date.now();
  for (let done = 0; done < dataset.count; ) {
    signal?.throwIfAborted();
    const nexts = streams.map((stream) => stream.next().value!);
    const outputs = sessions.map((session, i) => {
      const { inputs, batch: examples } = nexts[i]!;
      return session.run(inputs, { batch: examples })[session.outputs[0]!.name]!;
    });
    see(outputs, nexts[0]!);
    done += nexts[0]!.batch;
    onProgress?.(done, dataset.count);
    // Progress can be shown and an interrupt can arrive only between turns of the event loop.
    if (Date.now() - last > 50) {
      await new Promise((resolve) => setTimeout(resolve));
      last = Date.now();
    }
  }
  return sessions;
}

function addOutputs(
  sums: MetricSums,
  { shape, data }: Tensor,
  { name, task }: Dataset,
  { targets, batch }: Batch,
  probabilities: boolean,
): void {
  if (!targets || task === 'custom') return;
  const width = shape.at(-1)!;
  const perExample = targets.length / batch;
  const rows = task === 'regress' ? data.length : data.length / width;
  if (rows !== shape[0]! * perExample) {
    fail('DATA_INVALID', 'the targets do not fit the outputs of the model', {
      place: name,
      expected: `${rows / shape[0]!} per example`,
      found: `${perExample}`,
    });
  }
  for (let r = 0; r < rows; r++) {
    const target = targets[r]!;
    if (task === 'regress') sums.addValue(data[r]!, target);
    else if (target >= width) {
      fail('DATA_INVALID', 'a label is no class of the model', {
        place: `${name}.y`,
        expected: `0 … ${width - 1}`,
        found: `${target}`,
      });
    } else sums.addClass(data, r * width, width, target, probabilities);
  }
}

/**
 * The task's metrics of a model over a data set, on its lowered program: what is measured is what is shipped.
 * @throws DATA_INVALID where data and model do not fit
 */
export async function evaluate(model: Model, dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  const [evaluation] = await evaluateAll([model], dataset, options);
  return evaluation!.evaluation;
}

/** Evaluates several models in one sweep; each is compared with the first. */
export async function evaluateAll(
  models: readonly Model[],
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<{ evaluation: Evaluation; versusFirst: Agreement }[]> {
  const sums = models.map(() => new MetricSums());
  const pairs = models.map(() => new PairSums());
  const probabilities = models.map(givesProbabilities);
  const classes = dataset.task !== 'regress' && dataset.task !== 'custom';
  const sessions = await sweep(models, dataset, options, (outputs, batch) => {
    outputs.forEach((output, i) => {
      addOutputs(sums[i]!, output, dataset, batch, probabilities[i]!);
      if (output.data.length === outputs[0]!.data.length)
        pairs[i]!.add(outputs[0]!, output, classes && probabilities[0]! && probabilities[i]!);
    });
  });
  const results = [];
  for (const [i, session] of sessions.entries()) {
    options.signal?.throwIfAborted();
    const metrics = dataset.targets && dataset.task !== 'custom' ? sums[i]!.result(dataset.task) : {};
    const own = await ownMetrics(dataset, models[i]!.name, session, metrics);
    results.push({
      evaluation: {
        task: dataset.task,
        engine: session.engine.name,
        examples: dataset.count,
        metrics: { ...metrics, ...own },
        ...(Object.keys(own).length > 0 ? { own: Object.keys(own) } : {}),
      },
      versusFirst: pairs[i]!.result(classes),
    });
  }
  return results;
}
