import { createSession, fail, type Model } from '@gatefold/runtime';
import type { CalibrationBatches } from './pass.ts';

/** What calibration saw of a value: per feature means, and extremes over everything. */
export interface ActivationSummary {
  readonly mean: Float64Array;
  readonly low: number;
  readonly high: number;
  /** Σ x·xᵀ over the first rows, [width, width]; where asked for. */
  readonly gram?: Float64Array;
}

/**
 * Runs the model over calibration data and summarizes the named values of its first graph. The values become extra
 * outputs of a copy of the graph; nothing else changes.
 * @throws DATA_INVALID without any data
 */
export function summarizeActivations(
  model: Model,
  values: readonly string[],
  batches: CalibrationBatches,
  withGram = false,
): Map<string, ActivationSummary> {
  const [name, graph] = Object.entries(model.graphs)[0]!;
  const outputs = [...new Set(values)].map((value) => ({ name: `value:${value}`, value }));
  const watched: Model = { ...model, graphs: { ...model.graphs, [name]: { ...graph, outputs, states: [] } } };
  const session = createSession(watched, { graph: name });
  const sums = new Map(
    outputs.map(({ value }) => [
      value,
      { sum: new Float64Array(0), rows: 0, low: Infinity, high: -Infinity, gram: new Float64Array(0) },
    ]),
  );
  for (const { inputs, batch } of batches) {
    const results = session.run(inputs, { batch });
    for (const { name: port, value } of outputs) {
      const { data, shape } = results[port]!;
      const width = shape.at(-1)!;
      const seen = sums.get(value)!;
      if (seen.sum.length === 0) seen.sum = new Float64Array(width);
      for (let i = 0; i < data.length; i++) {
        const x = data[i]!;
        seen.sum[i % width]! += x;
        if (x < seen.low) seen.low = x;
        if (x > seen.high) seen.high = x;
      }
      if (withGram) seen.gram = addGram(seen.gram, data, width, gramRows - seen.rows);
      seen.rows += data.length / width;
    }
  }
  return new Map(
    [...sums].map(([value, { sum, rows, low, high, gram }]) => {
      if (rows === 0) fail('DATA_INVALID', 'no calibration data', { hint: 'give data with --calibrate or --data' });
      return [value, { mean: sum.map((x) => x / rows), low, high, ...(withGram ? { gram } : {}) }];
    }),
  );
}

/** Rows that second moments are taken from; more hardly change them. */
const gramRows = 16_384;

function addGram(
  before: Float64Array<ArrayBuffer>,
  data: Float32Array,
  width: number,
  most: number,
): Float64Array<ArrayBuffer> {
  const gram = before.length === 0 ? new Float64Array(width * width) : before;
  const rows = Math.min(Math.max(0, most), data.length / width);
  for (let r = 0; r < rows; r++) {
    const x = data.subarray(r * width, (r + 1) * width);
    for (let i = 0; i < width; i++) {
      const xi = x[i]!;
      if (xi === 0) continue;
      for (let j = 0; j < width; j++) gram[i * width + j] = gram[i * width + j]! + xi * x[j]!;
    }
  }
  return gram;
}
