import { createSession, fail, type Model, type Node } from '@gatefold/runtime';
import type { Place } from './address.ts';
import { Gram } from './gram.ts';
import type { CalibrationBatches } from './pass.ts';

/** The value a matrix is multiplied with: a node's input, or its states at all steps. */
export function operandValue({ node, role }: Place): string | undefined {
  if (role === 'U') return statesOf(node);
  if (role === 'R' || role === 'table') return undefined;
  return node.inputs.x;
}

/** The states of a recurrent node at all steps, whether or not the model uses them. */
function statesOf(node: Node): string {
  return node.outputs.y ?? `states:${node.name}`;
}

/** A session of the model's first graph that gives the named values. */
export function watch(model: Model, values: readonly string[]) {
  const [name, graph] = Object.entries(model.graphs)[0]!;
  const outputs = [...new Set(values)].map((value) => ({ name: `value:${value}`, value }));
  const nodes = graph.nodes.map((node) =>
    node.op === 'recurrent' ? { ...node, outputs: { ...node.outputs, y: statesOf(node) } } : node,
  );
  const watched: Model = { ...model, graphs: { ...model.graphs, [name]: { ...graph, nodes, outputs, states: [] } } };
  return { session: createSession(watched, { graph: name }), outputs };
}

/** What calibration saw of a value: per feature means, and extremes over everything. */
export interface ActivationSummary {
  readonly mean: Float64Array;
  /** Mean squares. */
  readonly power: Float64Array;
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
  const { session, outputs } = watch(model, values);
  const sums = new Map(
    outputs.map(({ value }) => [
      value,
      {
        sum: new Float64Array(0),
        power: new Float64Array(0),
        rows: 0,
        low: Infinity,
        high: -Infinity,
        gram: undefined as Gram | undefined,
      },
    ]),
  );
  for (const { inputs, batch } of batches) {
    const results = session.run(inputs, { batch });
    for (const { name: port, value } of outputs) {
      const { data, shape } = results[port]!;
      const width = shape.at(-1)!;
      const seen = sums.get(value)!;
      if (seen.sum.length === 0) {
        seen.sum = new Float64Array(width);
        seen.power = new Float64Array(width);
      }
      for (let i = 0; i < data.length; i++) {
        const x = data[i]!;
        seen.sum[i % width]! += x;
        seen.power[i % width]! += x * x;
        if (x < seen.low) seen.low = x;
        if (x > seen.high) seen.high = x;
      }
      if (withGram) {
        seen.gram ??= new Gram(width);
        seen.gram.add(data);
      }
      seen.rows += data.length / width;
    }
  }
  return new Map(
    [...sums].map(([value, { sum, power, rows, low, high, gram }]) => {
      if (rows === 0) fail('DATA_INVALID', 'no calibration data', { hint: 'give data with --calibrate or --data' });
      const means = { mean: sum.map((x) => x / rows), power: power.map((x) => x / rows) };
      return [value, { ...means, low, high, ...(gram ? { gram: gram.sum } : {}) }];
    }),
  );
}
