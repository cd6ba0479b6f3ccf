import { fail, graphOf, type Model, parseActivation } from '@gatefold/runtime';
import type { Task } from '../data/index.ts';
import type { Backend, ElementLoss, Matrix } from './backend/types.ts';
import type { TrainBatch } from './batches.ts';
import type { Forward } from './graph.ts';
import type { Value } from './ops/index.ts';
import { type BlankChoice, transcriptLoss } from './transcripts.ts';

/** How far the outputs are from what is wanted. Huber's `delta` is where squares turn into lines. */
export interface LossOptions {
  readonly kind?: 'squared' | 'absolute' | 'huber';
  readonly delta?: number;
  /** Share of a class target that is spread over all classes. */
  readonly smoothing?: number;
}

/** What is differentiated: the value before a closing softmax or sigmoid, whose logarithm is then exact. */
export interface Head extends BlankChoice {
  /** The value's name in the graph. */
  readonly value: string;
  readonly loss: 'classes' | 'transcript' | ElementLoss;
}

/** @throws MODEL_UNSUPPORTED where a task has no loss; OPTION_INVALID */
export function headOf(
  model: Model,
  task: Task,
  { kind = 'squared', smoothing = 0 }: LossOptions,
  blank?: BlankChoice,
): Head {
  const { graph } = graphOf(model);
  const value = graph.outputs[0]!.value;
  const last = graph.nodes.find((node) => Object.values(node.outputs).includes(value));
  if (task === 'regress') return { value, loss: kind };
  if (task === 'custom') {
    fail('DATA_INVALID', 'data of the task "custom" have no loss to train with', {
      hint: 'choose --task classify, label, transcribe, language, binary or regress',
    });
  }
  const sigmoid = last?.op === 'unary' && parseActivation(last.attributes.function)?.[0] === 'sigmoid';
  if (task === 'binary') {
    if (smoothing > 0) fail('OPTION_INVALID', 'only classes are smoothed', { place: '--smoothing' });
    return { value: sigmoid ? last.inputs.x! : value, loss: 'logistic' };
  }
  if (sigmoid) {
    fail('DATA_INVALID', 'the model answers yes or no, the data want classes', {
      place: last.name,
      hint: 'choose --task binary',
    });
  }
  const before = last?.op === 'softmax' ? last.inputs.x! : undefined;
  if (task === 'transcribe') {
    if (smoothing > 0) fail('OPTION_INVALID', 'labels without a place cannot be smoothed', { place: '--smoothing' });
    return { value: before ?? value, loss: 'transcript', ...blank };
  }
  return { value: before ?? value, loss: 'classes' };
}

/** Targets of the teacher (probabilities, or numbers), as the outputs' rows stand, and how much they count. */
export interface SoftTargets {
  readonly targets: Matrix;
  readonly share: number;
  readonly temperature: number;
}

/** [batch, time, width] → [time, batch, width] */
function timeFirst(data: Float32Array, batch: number, steps: number): Float32Array {
  if (steps === 1 || batch === 1) return data;
  const width = data.length / (batch * steps);
  const out = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < steps; t++) {
      const from = (b * steps + t) * width;
      out.set(data.subarray(from, from + width), (t * batch + b) * width);
    }
  }
  return out;
}

/** `whole` divided among the rows of a batch: every example counts the same, and so do its steps; padding does not count. */
function rowWeights(backend: Backend, batch: number, { v, steps, lengths }: Value, whole: number): Matrix {
  const weights = backend.alloc(v.value.rows, 1);
  if (!lengths) {
    backend.fill(weights, whole / (batch * steps));
    return weights;
  }
  const numbers = Float64Array.from({ length: steps * batch }, (_, row) => {
    const own = lengths[row % batch]!;
    return row < own * batch ? whole / (batch * own) : 0;
  });
  backend.write(weights, numbers);
  return weights;
}

/**
 * The mean over a batch's examples of their loss (of an example's rows for classes and answers, of its elements else; per label
 * where labels have no places), and its gradient at the output.
 * @throws DATA_INVALID where targets and outputs do not fit
 */
export function applyLoss(
  { tape, output }: Forward,
  head: Head,
  batch: TrainBatch,
  options: LossOptions,
  soft?: SoftTargets,
): number {
  const { backend } = tape;
  const { value } = output.v;
  const gradient = output.v.gradient();
  const hard = 1 - (soft?.share ?? 0);
  const loss =
    head.loss === 'transcript'
      ? transcriptLoss(backend, output, batch, head, hard)
      : rowsLoss(backend, output, head.loss, batch, options, hard);
  if (!soft) return loss;
  const { targets, share, temperature } = soft;
  if (targets.rows !== value.rows || targets.cols !== value.cols) {
    fail('DATA_INVALID', 'the teacher does not give what the model gives', {
      place: '--teacher',
      expected: `${value.cols} outputs`,
      found: `${targets.cols}`,
    });
  }
  const whole = share * temperature ** 2 * partOf(head.loss, value.cols);
  const weights = rowWeights(backend, batch.batch, output, whole);
  return loss + softLoss(backend, value, gradient, head.loss, options, soft, weights);
}

/** Whether a row of the output is one distribution, over classes. */
export function isDistribution(loss: Head['loss']): loss is 'classes' | 'transcript' {
  return loss === 'classes' || loss === 'transcript';
}

/** What an element of a row counts: numbers are averaged; answers are independent, their loss is −log of the joint probability. */
function partOf(loss: Head['loss'], cols: number): number {
  return isDistribution(loss) || loss === 'logistic' ? 1 : 1 / cols;
}

/** The loss where every row of the output has a target; `hard` is its share of the whole. */
function rowsLoss(
  backend: Backend,
  output: Value,
  loss: 'classes' | ElementLoss,
  { targets: given, targetLengths, batch }: TrainBatch,
  { smoothing = 0, delta = 1 }: LossOptions,
  hard: number,
): number {
  const { value } = output.v;
  const { rows, cols } = value;
  const each = loss === 'classes' ? 1 : cols;
  const wanted = output.lengths ?? new Array<number>(batch).fill(output.steps);
  const odd = wanted.findIndex((steps, i) => steps !== (targetLengths?.[i] ?? given.length / (batch * each)));
  if (odd >= 0) {
    fail('DATA_INVALID', 'the targets do not fit the outputs of the model', {
      expected: `${wanted[odd]! * each} per example`,
      found: `${targetLengths ? targetLengths[odd]! * each : given.length / batch}`,
    });
  }
  const targets = backend.alloc(rows, each);
  backend.write(targets, timeFirst(given, batch, output.steps));
  const gradient = output.v.gradient();
  if (loss !== 'classes') {
    const weights = rowWeights(backend, batch, output, hard * partOf(loss, cols));
    return backend.elementLoss(loss, delta, value, targets, weights, gradient);
  }
  const label = given.find((value) => value >= cols);
  if (label !== undefined) {
    fail('DATA_INVALID', 'a label is no class of the model', { expected: `0 … ${cols - 1}`, found: `${label}` });
  }
  return backend.crossEntropy(value, targets, rowWeights(backend, batch, output, hard), smoothing, gradient);
}

/**
 * Σ weight·divergence of softmax(x/T) from the teacher's (Hinton et al. 2015); of answers, cross-entropy with the teacher's
 * probabilities; of numbers, their distance.
 */
function softLoss(
  backend: Backend,
  value: Matrix,
  gradient: Matrix,
  kind: Head['loss'],
  { delta = 1 }: LossOptions,
  { targets, temperature: T }: SoftTargets,
  weights: Matrix,
): number {
  const scaled = backend.alloc(value.rows, value.cols);
  backend.scaled(1 / T, value, scaled, false);
  const slope = backend.alloc(value.rows, value.cols);
  const loss = isDistribution(kind)
    ? backend.divergence(scaled, targets, weights, slope)
    : backend.elementLoss(kind, delta, scaled, targets, weights, slope);
  backend.scaled(1 / T, slope, gradient, true);
  return loss;
}
