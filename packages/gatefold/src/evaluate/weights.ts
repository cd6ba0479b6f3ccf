import { decode, gatesOf, type Model, usesOf } from '@gatefold/runtime';

/** Error of a matrix, or of one gate of it, after compression. */
export interface WeightError {
  /** `node/role`, or `node/role/gate`. */
  readonly place: string;
  readonly count: number;
  /** Root of the mean squared error, relative to the root mean square of the original. */
  readonly relative: number;
  readonly largest: number;
}

export interface WeightHistogram {
  readonly place: string;
  readonly low: number;
  readonly high: number;
  /** Values per bin. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const bins = 61;

function errorOf(place: string, a: Float32Array, b: Float32Array): WeightError {
  let error = 0;
  let power = 0;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    error += d * d;
    power += a[i]! ** 2;
    largest = Math.max(largest, d);
  }
  return { place, count: a.length, relative: power > 0 ? Math.sqrt(error / power) : 0, largest };
}

function histogramOf(place: string, a: Float32Array, b: Float32Array): WeightHistogram {
  let reach = 0;
  for (const value of a) reach = Math.max(reach, Math.abs(value));
  const count = (values: Float32Array) => {
    const out = Array.from({ length: bins }, () => 0);
    for (const value of values) {
      const at = reach > 0 ? Math.floor(((value + reach) / (2 * reach)) * bins) : 0;
      out[Math.min(bins - 1, Math.max(0, at))]!++;
    }
    return out;
  };
  return { place, low: -reach, high: reach, before: count(a), after: count(b) };
}

/** Errors per matrix and gate, and histograms per matrix, of a model against what it was made from. */
export function compareWeights(
  original: Model,
  compressed: Model,
): { errors: WeightError[]; histograms: WeightHistogram[] } {
  const errors: WeightError[] = [];
  const histograms: WeightHistogram[] = [];
  const seen = new Set<string>();
  for (const { node, role, weight } of usesOf(original)) {
    const before = original.weights[weight]!;
    const after = compressed.weights[weight];
    if (seen.has(weight) || !after || before.shape.length < 2 || before.shape.join() !== after.shape.join()) continue;
    seen.add(weight);
    const place = `${node.name}/${role}`;
    const [a, b] = [decode(before), decode(after)];
    histograms.push(histogramOf(place, a, b));
    const gates = gatesOf(node, role);
    if (!gates) errors.push(errorOf(place, a, b));
    const size = a.length / (gates?.length ?? 1);
    gates?.forEach((gate, i) => {
      errors.push(
        errorOf(`${place}/${gate}`, a.subarray(i * size, (i + 1) * size), b.subarray(i * size, (i + 1) * size)),
      );
    });
  }
  return { errors, histograms };
}
