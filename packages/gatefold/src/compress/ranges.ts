import {
  type Activation,
  type Analysis,
  analyse,
  type Cell,
  type CellOptions,
  cellOf,
  decode,
  graphOf,
  type Model,
  type Node,
  OpContext,
  type StepOps,
  type Tensor,
} from '@gatefold/runtime';
import { Float64Ops, nextStates, type Values, zeroStates } from '../evaluate/float64-ops.ts';
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
  const { graph, name } = graphOf(model);
  const analysis = analyse(model, name);
  const watched = [
    ...graph.inputs.map((port) => port.name),
    ...graph.nodes.flatMap(({ outputs }) => Object.values(outputs)),
  ];
  const floats = watched.filter((value) => analysis.values.get(value)?.dtype === 'float32');
  const followers = graph.nodes.flatMap((node) =>
    node.op === 'recurrent' ? [new StepFollower(model, node, analysis)] : [],
  );
  if (followers.length > 0) followSteps(model, followers, calibration(model));
  return {
    values: summarizeActivations(model, floats, calibration(model)),
    steps: new Map(followers.map((follower) => [follower.node.name, follower.ranges()])),
  };
}

/** Shows all followers the inputs of their nodes, until they have seen enough. */
function followSteps(model: Model, followers: readonly StepFollower[], batches: CalibrationBatches): void {
  const { session, outputs } = watch(
    model,
    followers.map(({ node }) => node.inputs.x!),
  );
  for (const { inputs, batch } of batches) {
    const results = session.run(inputs, { batch });
    for (const { name, value } of outputs) {
      for (const follower of followers) if (follower.node.inputs.x === value) follower.follow(results[name]!, batch);
    }
    if (followers.every(({ isDone }) => isDone)) break;
  }
}

/** Takes the steps of one recurrent node, each sequence from the zero state, and notes their ranges. */
class StepFollower {
  readonly node: Node;
  private readonly cell: Cell;
  private readonly options: CellOptions;
  private readonly ops: RangeOps;
  private readonly products: number;
  private readonly states: Record<string, Interval> = {};
  private left = mostProducts;

  constructor(model: Model, node: Node, { values, times }: Analysis) {
    const { cell, options } = cellOf(new OpContext(node, model, values, [...times]));
    const decoded = new Map(
      Object.entries(node.weights).map(([role, weight]) => [role, Float64Array.from(decode(model.weights[weight]!))]),
    );
    this.node = node;
    this.cell = cell;
    this.options = options;
    this.ops = new RangeOps(new Float64Ops((role) => decoded.get(role)!, options.units, cell.gates(options).length));
    this.products = [...decoded.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Whether it has seen enough. */
  get isDone(): boolean {
    return this.left <= 0;
  }

  /** @param x [batch, time, features] */
  follow({ data, shape }: Tensor, batch: number): void {
    const width = shape.at(-1)!;
    const count = data.length / batch / width;
    for (let k = 0; k < batch && !this.isDone; k++) {
      let states = zeroStates(this.cell, this.options);
      for (let i = 0; i < count; i++) {
        const t = this.node.attributes.direction === 'backward' ? count - 1 - i : i;
        const x = Float64Array.from(data.subarray((k * count + t) * width, (k * count + t + 1) * width));
        this.ops.begin();
        states = nextStates(this.ops, this.cell, this.options, x, states);
        for (const [name, made] of Object.entries(states)) {
          this.states[name] = widened(this.states[name] ?? { low: 0, high: 0 }, made);
        }
      }
      this.left -= this.products * count;
    }
  }

  ranges(): StepRanges {
    const { calls, operands } = this.ops;
    return { calls, operands, states: this.states };
  }
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
