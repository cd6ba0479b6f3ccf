import { createSession, type Engine, fail, graphOf, type Model, type Session, type Tensor } from '@gatefold/runtime';
import { batches, type Dataset, fitToModel } from '../data/index.ts';
import { MetricSums } from './metrics.ts';

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
  readonly metrics: Readonly<Record<string, number>>;
}

/** What two models' outputs have in common, row by row. */
export interface Agreement {
  /** Share of rows with the same largest output (classes), NaN-free. */
  readonly agreement: number | undefined;
  readonly maxAbsDifference: number;
  /** Mean Kullback–Leibler divergence of b from a, in nats; for class outputs. */
  readonly meanKl: number | undefined;
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
  see: (outputs: readonly Tensor[], from: number) => void,
): Promise<Session[]> {
  const sessions = models.map((model) => createSession(model, engine ? { engine } : {}));
  const fitted = models.map((model) => fitToModel(dataset, model));
  const streams = sessions.map((session) => batches(fitted[sessions.indexOf(session)]!, batch ?? batchSize(dataset)));
  let last = Date.now();
  for (let done = 0; done < dataset.count; ) {
    signal?.throwIfAborted();
    const outputs = sessions.map((session, i) => {
      const next = streams[i]!.next().value!;
      const results = session.run(next.inputs, { batch: next.batch });
      if (i === sessions.length - 1) done = next.from + next.batch;
      return results[session.outputs[0]!.name]!;
    });
    see(outputs, done - outputs[0]!.shape[0]!);
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
  dataset: Dataset,
  from: number,
  probabilities: boolean,
): void {
  const { targets, task, count } = dataset;
  if (!targets) return;
  const width = shape.at(-1)!;
  const perExample = targets.data.length / count;
  const rows = task === 'regress' ? data.length : data.length / width;
  if (rows !== shape[0]! * perExample) {
    fail('DATA_INVALID', 'the targets do not fit the outputs of the model', {
      place: dataset.name,
      expected: `${rows / shape[0]!} per example`,
      found: `${perExample}`,
    });
  }
  for (let r = 0; r < rows; r++) {
    const target = targets.data[from * perExample + r]!;
    if (task === 'regress') sums.addValue(data[r]!, target);
    else if (target >= width) {
      fail('DATA_INVALID', 'a label is no class of the model', {
        place: `${dataset.name}.y`,
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
  const sessions = await sweep(models, dataset, options, (outputs, from) => {
    outputs.forEach((output, i) => {
      addOutputs(sums[i]!, output, dataset, from, probabilities[i]!);
      if (output.data.length === outputs[0]!.data.length)
        pairs[i]!.add(outputs[0]!, output, classes && probabilities[0]! && probabilities[i]!);
    });
  });
  return models.map((_, i) => ({
    evaluation: {
      task: dataset.task,
      engine: sessions[i]!.engine.name,
      examples: dataset.count,
      metrics: dataset.targets ? sums[i]!.result(dataset.task) : {},
    },
    versusFirst: pairs[i]!.result(classes),
  }));
}

/** Row-by-row comparison of two models' outputs. */
class PairSums {
  private rows = 0;
  private same = 0;
  private divergence = 0;
  private diverged = false;
  private worst = 0;

  add(a: Tensor, b: Tensor, distributions: boolean): void {
    const width = a.shape.at(-1)!;
    this.diverged ||= distributions;
    for (let from = 0; from < a.data.length; from += width) {
      let bestA = 0;
      let bestB = 0;
      for (let i = 0; i < width; i++) {
        const pa = a.data[from + i]!;
        const pb = b.data[from + i]!;
        this.worst = Math.max(this.worst, Math.abs(pa - pb));
        if (pa > a.data[from + bestA]!) bestA = i;
        if (pb > b.data[from + bestB]!) bestB = i;
        if (distributions && pa > 0) this.divergence += pa * (Math.log(pa) - Math.log(Math.max(pb, 1e-12)));
      }
      this.rows++;
      if (bestA === bestB) this.same++;
    }
  }

  result(classes: boolean): Agreement {
    return {
      agreement: classes ? this.same / this.rows : undefined,
      maxAbsDifference: this.worst,
      meanKl: this.diverged ? Math.max(0, this.divergence / this.rows) : undefined,
    };
  }
}
