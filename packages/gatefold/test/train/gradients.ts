import type { Model } from '@gatefold/runtime';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import type { Backend } from '../../src/train/backend/types.ts';
import type { CodingOptions } from '../../src/train/coded.ts';
import { TrainGraph } from '../../src/train/graph.ts';
import { Parameters } from '../../src/train/parameters.ts';

export interface Case {
  /** Whether statistics are the batch's own. */
  readonly training?: boolean;
  readonly coded?: Model;
  readonly coding?: CodingOptions;
  readonly model: Model;
  readonly batch: number;
  readonly inputs: Readonly<Record<string, Float32Array>>;
}

/** Σ (output − target)²·weight over all outputs, with its gradient for every weight. */
export function lossAndGradients(
  backend: Backend,
  { model, batch, inputs, coded, coding, training = false }: Case,
  change: (parameters: Parameters) => void = () => {},
): { loss: number; gradients: Map<string, ArrayLike<number>> } {
  const mark = backend.mark();
  const parameters = new Parameters(backend, model, { ...(coded ? { coded } : {}), ...(coding ? { coding } : {}) });
  change(parameters);
  parameters.prepare();
  const { tape, output } = new TrainGraph(model).forward(backend, parameters, inputs, { batch, training });
  const { rows, cols } = output.v.value;
  const random = randomSource(99);
  const targets = backend.alloc(rows, cols);
  backend.write(targets, randomValues(random, rows * cols));
  const weights = backend.alloc(rows, 1);
  backend.write(
    weights,
    Float32Array.from({ length: rows }, () => 0.2 + random()),
  );
  const loss = backend.elementLoss('squared', 1, output.v.value, targets, weights, output.v.gradient());
  tape.backward();
  parameters.finish();
  const gradients = new Map(parameters.trained.map(({ name, gradient }) => [name, backend.read(gradient)]));
  backend.release(mark);
  return { loss, gradients };
}
