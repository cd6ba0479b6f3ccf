import { fail, graphOf, type Model, parseActivation } from '@gatefold/runtime';
import type { Task } from '../data/index.ts';
import type { Backend, ElementLoss, Matrix } from './backend/types.ts';
import type { Forward } from './graph.ts';

/** How far the outputs are from what is wanted. Huber's `delta` is where squares turn into lines. */
export interface LossOptions {
  readonly kind?: 'squared' | 'absolute' | 'huber';
  readonly delta?: number;
  /** Share of a class target that is spread over all classes. */
  readonly smoothing?: number;
}

/** What is differentiated: the value before a closing softmax or sigmoid, whose logarithm is then exact. */
export interface Head {
  /** The value's name in the graph. */
  readonly value: string;
  readonly loss: 'classes' | ElementLoss;
}

/** @throws MODEL_UNSUPPORTED where a task has no loss */
export function headOf(model: Model, task: Task, { kind = 'squared' }: LossOptions): Head {
  const { graph } = graphOf(model);
  const value = graph.outputs[0]!.value;
  const last = graph.nodes.find((node) => Object.values(node.outputs).includes(value));
  if (task === 'regress') return { value, loss: kind };
  if (task === 'custom') {
    fail('DATA_INVALID', 'data of the task "custom" have no loss to train with', {
      hint: 'choose --task classify, label, language or regress',
    });
  }
  if (last?.op === 'softmax') return { value: last.inputs.x!, loss: 'classes' };
  const sigmoid = last?.op === 'unary' && parseActivation(last.attributes.function)?.[0] === 'sigmoid';
  return sigmoid ? { value: last.inputs.x!, loss: 'logistic' } : { value, loss: 'classes' };
}

/** Targets of the teacher, [rows, classes] as the outputs' rows stand, and how much they count. */
export interface SoftTargets {
  readonly probabilities: Matrix;
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

/**
 * The mean loss of a batch (per row for classes, per element otherwise) and its gradient at the output.
 * @throws DATA_INVALID where targets and outputs do not fit
 */
export function applyLoss(
  { tape, output }: Forward,
  head: Head,
  given: Float32Array,
  batch: number,
  { smoothing = 0, delta = 1 }: LossOptions,
  soft?: SoftTargets,
): number {
  const { backend } = tape;
  const { value } = output.v;
  const { rows, cols } = value;
  const each = head.loss === 'classes' ? 1 : cols;
  if (given.length !== rows * each) {
    fail('DATA_INVALID', 'the targets do not fit the outputs of the model', {
      expected: `${(rows * each) / batch} per example`,
      found: `${given.length / batch}`,
    });
  }
  const targets = backend.alloc(rows, each);
  backend.write(targets, timeFirst(given, batch, output.steps));
  const weights = backend.alloc(rows, 1);
  const gradient = output.v.gradient();
  if (head.loss !== 'classes') {
    backend.fill(weights, 1 / (rows * cols));
    return backend.elementLoss(head.loss, delta, value, targets, weights, gradient);
  }
  const odd = given.findIndex((label) => label >= cols);
  if (odd >= 0) {
    fail('DATA_INVALID', 'a label is no class of the model', { expected: `0 … ${cols - 1}`, found: `${given[odd]}` });
  }
  const hard = 1 - (soft?.share ?? 0);
  backend.fill(weights, hard / rows);
  const loss = backend.crossEntropy(value, targets, weights, smoothing, gradient);
  return soft ? loss + softLoss(backend, value, gradient, soft) : loss;
}

/** share·T²·divergence of softmax(x/T) from the teacher's (Hinton et al. 2015). */
function softLoss(
  backend: Backend,
  value: Matrix,
  gradient: Matrix,
  { probabilities, share, temperature: T }: SoftTargets,
): number {
  const scaled = backend.alloc(value.rows, value.cols);
  backend.scaled(1 / T, value, scaled, false);
  const weights = backend.alloc(value.rows, 1);
  backend.fill(weights, (share * T * T) / value.rows);
  const slope = backend.alloc(value.rows, value.cols);
  const loss = backend.divergence(scaled, probabilities, weights, slope);
  backend.scaled(1 / T, slope, gradient, true);
  return loss;
}
