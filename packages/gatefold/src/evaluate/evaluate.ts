import { fail, graphOf, type Model, parseActivation, type Tensor } from '@gatefold/runtime';
import { type Batch, type Dataset, fitToModel } from '../data/index.ts';
import { bestPath, ctcLoss64 } from '../train/ctc.ts';
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

/** Whether the first output comes out of a softmax, or for answers a sigmoid. */
function givesProbabilities(model: Model, task: Dataset['task']): boolean {
  const { graph } = graphOf(model);
  const last = graph.nodes.find((node) => Object.values(node.outputs).includes(graph.outputs[0]?.value ?? ''));
  if (task !== 'binary') return last?.op === 'softmax';
  return last?.op === 'unary' && parseActivation(last.attributes.function)?.[0] === 'sigmoid';
}

/** Reads labels out of class scores [batch, steps, classes] and compares them with those that are wanted. */
function addTranscripts(
  sums: MetricSums,
  { shape, data }: Tensor,
  { name, blank }: Pick<Dataset, 'name' | 'blank'>,
  { targets, batch, ids, from }: Batch,
  probabilities: boolean,
): void {
  const classes = shape.at(-1)!;
  const steps = data.length / (batch * classes);
  const none = blank ?? classes - 1;
  const count = targets!.length / batch;
  for (let b = 0; b < batch; b++) {
    const scores = data.subarray(b * steps * classes, (b + 1) * steps * classes);
    const labels = targets!.subarray(b * count, (b + 1) * count);
    const place = `${name}: example ${(ids?.[b] ?? from + b) + 1}`;
    const odd = labels.find((label) => label >= classes || label === none);
    if (odd !== undefined) {
      fail('DATA_INVALID', 'a label is no class of the model', {
        place,
        expected: `0 … ${classes - 1}, without ${none}, which stands for no label`,
        found: `${odd}`,
      });
    }
    const rows = Array.from({ length: steps }, (_, t) => scores.subarray(t * classes, (t + 1) * classes));
    const logits = probabilities ? rows.map((row) => row.map((p) => Math.log(Math.max(p, 1e-12)))) : rows;
    const loss = ctcLoss64(logits, labels, none);
    if (loss === Number.POSITIVE_INFINITY) {
      fail('DATA_INVALID', 'a sequence is too short for its labels', {
        place,
        found: `${steps} steps out of the model for ${count} labels`,
      });
    }
    sums.addTranscript(labels, bestPath(scores, classes, none), loss);
  }
}

function addOutputs(sums: MetricSums, output: Tensor, dataset: Dataset, part: Batch, probabilities: boolean): void {
  const { name, task } = dataset;
  const { targets, batch } = part;
  if (!targets || task === 'custom') return;
  if (task === 'transcribe') {
    addTranscripts(sums, output, dataset, part, probabilities);
    return;
  }
  const { shape, data } = output;
  const width = shape.at(-1)!;
  const perExample = targets.length / batch;
  const hasVectors = task === 'regress' || task === 'binary';
  const rows = hasVectors ? data.length : data.length / width;
  if (rows !== shape[0]! * perExample) {
    fail('DATA_INVALID', 'the targets do not fit the outputs of the model', {
      place: name,
      expected: `${rows / shape[0]!} per example`,
      found: `${perExample}`,
    });
  }
  if (task === 'binary') {
    for (let at = 0; at < rows; at += width) {
      sums.addAnswers(data.subarray(at, at + width), targets.subarray(at, at + width), probabilities);
    }
    return;
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

/** Evaluates several models in one sweep; each is compared with the first, where both judge the same. */
export async function evaluateAll(
  models: readonly Model[],
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<{ evaluation: Evaluation; versusFirst?: Agreement }[]> {
  const sums = models.map(() => new MetricSums());
  const pairs = models.map(() => new PairSums());
  const probabilities = models.map((model) => givesProbabilities(model, dataset.task));
  // Models may say which class is the blank.
  const fitted = models.map((model) => fitToModel(dataset, model));
  const classes = !['binary', 'regress', 'custom'].includes(dataset.task);
  const sessions = await sweep(models, fitted, options, (outputs, batches) => {
    outputs.forEach((output, i) => {
      addOutputs(sums[i]!, output, fitted[i]!, batches[i]!, probabilities[i]!);
      if (output.data.length === outputs[0]!.data.length)
        pairs[i]!.add(outputs[0]!, output, classes && probabilities[0]! && probabilities[i]!);
    });
  });
  const results = [];
  for (const [i, session] of sessions.entries()) {
    options.signal?.throwIfAborted();
    const metrics = dataset.targets && dataset.task !== 'custom' ? sums[i]!.result(dataset.task) : {};
    const versusFirst = pairs[i]!.result(classes);
    // Losses and errors are sums over everything the model says: one value that is no number shows in them.
    if (Number.isNaN(metrics.loss ?? metrics.nll ?? metrics.mse ?? 0) || Number.isNaN(versusFirst?.maxAbsDifference)) {
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
      ...(versusFirst ? { versusFirst } : {}),
    });
  }
  return results;
}
