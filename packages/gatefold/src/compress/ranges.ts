import {
  type Activation,
  analyse,
  cellOf,
  decode,
  type Model,
  type Node,
  OpContext,
  type StepOps,
} from '@gatefold/runtime';
import { Float64Ops, type Values } from '../evaluate/float64-ops.ts';
import { summarizeActivations, watch } from './activations.ts';
import type { Calibration, CalibrationBatches } from './pass.ts';

/** The smallest and the largest number seen. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** What the step of a recurrent node computes on its way. */
export interface StepRanges {
  /** What each call of the step's arithmetic made, in their order; a product that is added to something is two calls. */
  readonly calls: readonly Interval[];
  /** The states, by name, with the zero they start from. */
  readonly states: Readonly<Record<string, Interval>>;
  /** What a matrix multiplies, by its role. */
  readonly operands: ReadonlyMap<string, Interval>;
}

/** Ranges of everything a model computes on calibration data. */
export interface ActivationRanges {
  /** Values of the first graph, by name. */
  readonly values: ReadonlyMap<string, Interval>;
  /** Recurrent nodes, by name. */
  readonly steps: ReadonlyMap<string, StepRanges>;
}

/** Steps are followed in float64, one by one: at most so many multiplications for each node. */
const mostProducts = 2 ** 30;

const nothing: Interval = { low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY };

function widened({ low, high }: Interval, values: Iterable<number>): Interval {
  let [from, to] = [low, high];
  for (const x of values) {
    if (x < from) from = x;
    if (x > to) to = x;
  }
  return { low: from, high: to };
}

/**
 * Runs a model over calibration data and notes the range of every value of its first graph, and of whatever the steps of its
 * recurrent nodes compute between them (the latter on as many sequences as are followed in a few seconds).
 * @throws DATA_INVALID without any data
 */
export function measureRanges(model: Model, calibration: Calibration): ActivationRanges {
  const [name, graph] = Object.entries(model.graphs)[0]!;
  const { values: types } = analyse(model, name);
  const watched = [
    ...graph.inputs.map((port) => port.name),
    ...graph.nodes.flatMap(({ outputs }) => Object.values(outputs)),
  ];
  const floats = watched.filter((value) => types.get(value)?.dtype === 'float32');
  const steps = graph.nodes.flatMap((node) =>
    node.op === 'recurrent' ? [[node.name, followSteps(model, name, node, calibration(model))] as const] : [],
  );
  return { values: summarizeActivations(model, floats, calibration(model)), steps: new Map(steps) };
}

/** The ranges of one recurrent node's steps, each sequence from the zero state. */
function followSteps(model: Model, graph: string, node: Node, batches: CalibrationBatches): StepRanges {
  const { values, times } = analyse(model, graph);
  const { cell, options } = cellOf(new OpContext(node, model, values, [...times]));
  const decoded = new Map(
    Object.entries(node.weights).map(([role, weight]) => [role, Float64Array.from(decode(model.weights[weight]!))]),
  );
  const inner = new Float64Ops((role) => decoded.get(role)!, options.units, cell.gates(options).length);
  const ops = new RangeOps(inner);
  const { session, outputs } = watch(model, [node.inputs.x!]);
  const states: Record<string, Interval> = {};
  let left = mostProducts;
  for (const { inputs, batch } of batches) {
    const { data, shape } = session.run(inputs, { batch })[outputs[0]!.name]!;
    const width = shape.at(-1)!;
    const count = data.length / batch / width;
    for (let k = 0; k < batch && left > 0; k++) {
      let state: Record<string, Values> = Object.fromEntries(
        cell.states.map((of) => [
          of.name,
          new Float64Array(of.width === 'output' ? options.outputWidth : options.units),
        ]),
      );
      for (let i = 0; i < count; i++) {
        const t = node.attributes.direction === 'backward' ? count - 1 - i : i;
        const x = Float64Array.from(data.subarray((k * count + t) * width, (k * count + t + 1) * width));
        ops.begin();
        const pre = ops.linear('W', x, options.has('b') ? { bias: 'b' } : {});
        state = cell.step(ops, pre, state, options) as Record<string, Values>;
        for (const [of, made] of Object.entries(state)) states[of] = widened(states[of] ?? { low: 0, high: 0 }, made);
      }
      for (const matrix of decoded.values()) left -= matrix.length * count;
    }
    if (left <= 0) break;
  }
  return { calls: ops.calls, states, operands: ops.operands };
}

/** Arithmetic that notes the range of whatever it makes, call by call. */
class RangeOps implements StepOps<Values> {
  readonly calls: Interval[] = [];
  readonly operands = new Map<string, Interval>();
  private readonly inner: Float64Ops;
  private at = 0;

  constructor(inner: Float64Ops) {
    this.inner = inner;
  }

  /** The next step begins. */
  begin(): void {
    this.at = 0;
  }

  private note(made: Values): Values {
    this.calls[this.at] = widened(this.calls[this.at] ?? nothing, made);
    this.at++;
    return made;
  }

  linear(role: string, v: Values, { add, ...options }: Parameters<Float64Ops['linear']>[2] = {}): Values {
    this.operands.set(role, widened(this.operands.get(role) ?? nothing, v));
    const product = this.note(this.inner.linear(role, v, options));
    return add ? this.add(product, add) : product;
  }

  gates(z: Values, first: number, count: number): Values {
    return this.inner.gates(z, first, count);
  }

  scale(role: string, gate: number, v: Values): Values {
    return this.note(this.inner.scale(role, gate, v));
  }

  apply(activation: Activation, v: Values): Values {
    return activation[0] === 'linear' ? v : this.note(this.inner.apply(activation, v));
  }

  add(a: Values, b: Values): Values {
    return this.note(this.inner.add(a, b));
  }

  multiply(a: Values, b: Values): Values {
    return this.note(this.inner.multiply(a, b));
  }
}
