import { createSession, fail, type Model, type Tensor } from '@gatefold/runtime';
import type { CalibrationBatches } from '../pass.ts';

/** How alike the outputs of a model are to those of the model it was made from. */
export interface Likeness {
  /** Share of the decisions that are the same; undefined where the outputs decide nothing. */
  readonly agreement: number | undefined;
  /** How many decisions differ, and of how many. */
  readonly changed: number;
  readonly decisions: number;
  /** Root mean square of the differences of all outputs, relative to the outputs' own. */
  readonly divergence: number;
}

/** What outputs decide: the largest of a row, or each value whether it lies above one half. */
type Deciding = 'largest' | 'half' | undefined;

/**
 * Compares models of one graph with the first of them on the same data. Its outputs are kept; rows are those of the graph's
 * first output.
 */
export class Probe {
  private readonly batches: CalibrationBatches;
  private readonly expected: readonly (readonly Tensor[])[];
  private readonly deciding: Deciding;
  private readonly power: number;

  /** @throws DATA_INVALID without data, MODEL_VALUE where the model gives values that are not finite */
  constructor(model: Model, batches: CalibrationBatches) {
    this.batches = [...batches];
    this.expected = [...outputsOf(model, this.batches)];
    if (this.expected.length === 0) {
      fail('DATA_INVALID', 'no calibration data', { hint: 'give data with --calibrate' });
    }
    const firsts = this.expected.map(([first]) => first!);
    this.power = this.expected.flat().reduce((sum, { data }) => sum + data.reduce((s, value) => s + value ** 2, 0), 0);
    if (!Number.isFinite(this.power)) {
      fail('MODEL_VALUE', 'the model gives outputs that are not finite', { place: model.name });
    }
    this.deciding = whatDecides(firsts);
  }

  get decides(): boolean {
    return this.deciding !== undefined;
  }

  compare(model: Model): Likeness {
    let same = 0;
    let decisions = 0;
    let error = 0;
    let i = 0;
    for (const outputs of outputsOf(model, this.batches)) {
      const expected = this.expected[i++]!;
      outputs.forEach(({ data }, k) => {
        const before = expected[k]!.data;
        for (let at = 0; at < data.length; at++) error += (data[at]! - before[at]!) ** 2;
      });
      const [a, b] = [expected[0]!, outputs[0]!];
      const step = this.deciding === 'largest' ? a.shape.at(-1)! : 1;
      for (let at = 0; at < a.data.length; at += step) {
        decisions++;
        if (decision(a.data, at, step) === decision(b.data, at, step)) same++;
      }
    }
    return {
      agreement: this.deciding ? same / decisions : undefined,
      changed: decisions - same,
      decisions,
      divergence: Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.sqrt(error / (this.power || 1)),
    };
  }
}

function* outputsOf(model: Model, batches: CalibrationBatches): Generator<Tensor[]> {
  const session = createSession(model);
  for (const { inputs, batch } of batches) {
    const results = session.run(inputs, { batch });
    yield session.outputs.map(({ name }) => results[name]!);
  }
}

/** Values between 0 and 1 that do not add up to 1 are probabilities of their own. Single numbers without bounds decide nothing. */
function whatDecides(outputs: readonly Tensor[]): Deciding {
  const width = outputs[0]!.shape.at(-1)!;
  const bounded = outputs.every(({ data }) => data.every((value) => value >= 0 && value <= 1));
  if (bounded && !outputs.every((output) => addsUp(output, width))) return 'half';
  return width > 1 ? 'largest' : undefined;
}

function addsUp({ data }: Tensor, width: number): boolean {
  for (let from = 0; from < data.length; from += width) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += data[from + i]!;
    if (Math.abs(sum - 1) > 1e-3) return false;
  }
  return true;
}

function decision(data: Float32Array, from: number, width: number): number {
  if (width === 1) return data[from]! > 0.5 ? 1 : 0;
  let best = 0;
  for (let i = 1; i < width; i++) if (data[from + i]! > data[from + best]!) best = i;
  return best;
}
