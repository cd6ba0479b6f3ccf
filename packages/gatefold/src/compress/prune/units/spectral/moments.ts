import { createSession, fail, graphOf, type Model } from '@gatefold/runtime';
import { batches, fitToModel, sliceDataset, sliceSteps } from '../../../../data/index.ts';
import type { CalibrationBatches, PassContext } from '../../../pass.ts';
import { OuterProducts } from './symmetric.ts';
import type { View } from './views.ts';
import { maskPortOf, portOf, watch } from './watch.ts';

/** First and second moments of a value, centred. */
export interface Moments {
  readonly mean: Float64Array;
  /** [width, width]; of values wider than {@link widest} only the diagonal, [width]. */
  readonly covariance: Float64Array;
  readonly full: boolean;
}

/** Widest value whose whole covariance is taken. */
const widest = 2048;
/** Rows that moments are taken from: more hardly change them, and these products take longest. */
const rowsFor = (width: number) => Math.max(2 * width, Math.min(16_384, Math.floor(3e9 / width ** 2)));

class Sums {
  private readonly width: number;
  private readonly sum: Float64Array;
  private readonly squares: Float64Array;
  private readonly products: OuterProducts | undefined;
  private rows = 0;

  constructor(width: number) {
    this.width = width;
    this.sum = new Float64Array(width);
    this.squares = new Float64Array(width);
    this.products = width <= widest ? new OuterProducts(width) : undefined;
  }

  get enough(): boolean {
    return this.rows >= rowsFor(this.width);
  }

  add(data: Float32Array, mask: Float32Array | undefined): void {
    const { width, sum, squares, products } = this;
    for (let r = 0; r < data.length / width && !this.enough; r++) {
      if (mask && mask[r] === 0) continue;
      this.rows++;
      const x = data.subarray(r * width, (r + 1) * width);
      for (let i = 0; i < width; i++) {
        sum[i]! += x[i]!;
        squares[i]! += x[i]! ** 2;
      }
      products?.add(x);
    }
  }

  result(): Moments {
    const { width, rows, squares, products } = this;
    if (rows === 0) fail('DATA_INVALID', 'no calibration data', { hint: 'give data with --calibrate or --data' });
    const mean = this.sum.map((value) => value / rows);
    if (!products) return { mean, full: false, covariance: squares.map((value, i) => value / rows - mean[i]! ** 2) };
    const covariance = products.result();
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++)
        covariance[i * width + j] = covariance[i * width + j]! / rows - mean[i]! * mean[j]!;
    }
    return { mean, full: true, covariance };
  }
}

/** Steps of a text, or examples, that stand in for calibration data where there are only training data. */
const fromTraining = { steps: 16_384, examples: 512 };

function calibrationOf(model: Model, { calibration, training }: PassContext): CalibrationBatches {
  if (calibration) return calibration(model);
  if (!training) {
    fail('DATA_INVALID', 'covariances need data', { hint: 'give them with --calibrate or --data' });
  }
  const { count, inputs } = training;
  const steps = count === 1 ? (Object.values(inputs)[0]!.shape[1] ?? 1) : 1;
  const part =
    count === 1
      ? sliceSteps(training, 0, Math.min(steps, fromTraining.steps))
      : sliceDataset(training, 0, Math.min(count, fromTraining.examples));
  return batches(fitToModel(part ?? training, model), 32);
}

/**
 * Runs the model over calibration (or else training) data and takes the moments of the values that the views name.
 * @throws DATA_INVALID without any data
 */
export function measureMoments(model: Model, views: readonly View[], context: PassContext): Moments[] {
  const { name } = graphOf(model);
  const session = createSession(watch(model, views), { graph: name });
  const sums = views.map(({ channels }) => new Sums(channels.length));
  for (const { inputs, batch } of calibrationOf(model, context)) {
    context.signal?.throwIfAborted();
    if (sums.every((sum) => sum.enough)) break;
    const results = session.run(inputs, { batch });
    sums.forEach((sum, i) => {
      sum.add(results[portOf(i)]!.data, results[maskPortOf(i)]?.data);
    });
  }
  return sums.map((sum) => sum.result());
}
