import { fail, graphOf, type Model, type Tensor } from '@gatefold/runtime';
import type { Batch, Dataset } from '../data/index.ts';
import { MetricSums } from './metrics.ts';
import { ownMetrics } from './own-metrics.ts';
import { type Agreement, PairSums } from './pair-sums.ts';
import { type EvaluateOptions, sweep } from './sweep.ts';

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
    // Losses and errors are sums over everything the model says: one value that is no number shows in them.
    if (Number.isNaN(metrics.loss ?? metrics.mse ?? 0) || Number.isNaN(pairs[i]!.result(classes).maxAbsDifference)) {
      fail('MODEL_VALUE', 'the model gives outputs that are not finite', { place: models[i]!.name });
    }
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
