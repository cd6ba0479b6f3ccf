import {
  analyse,
  fail,
  graphOf,
  hasTime,
  type Model,
  type Node,
  OpContext,
  type Port,
  sizeOf,
} from '@gatefold/runtime';
import type { Backend, Matrix } from './backend/types.ts';
import { multiplyBy } from './functions.ts';
import { type CarriedState, type TrainContext, trainOps, type Value } from './ops/index.ts';
import type { Parameters } from './parameters.ts';
import { Tape, type Var } from './tape.ts';

/** Arrays of one batch by input name, [batch, time, …] row-major as a session takes them. */
export type BatchInputs = Readonly<Record<string, ArrayLike<number>>>;

export interface ForwardOptions {
  readonly batch: number;
  /** Steps of each example by input name, where they differ; what stands behind them is padding. */
  readonly lengths?: Readonly<Record<string, readonly number[]>>;
  /** Draws from [0, 1); where given, dropout is applied. */
  readonly random?: (() => number) | undefined;
  /** Share of the inputs of recurrent and dense nodes (but not of the model's) that is zeroed. */
  readonly dropout?: number;
  /** Share of h that is zeroed where it enters the recurrent product, the same at every step. */
  readonly recurrentDropout?: number;
  /** Whether statistics are the batch's own (batch normalization). */
  readonly training?: boolean;
  /** Whether recurrent layers begin with the states the last batch ended with. */
  readonly carry?: boolean;
}

export interface Forward {
  readonly tape: Tape;
  readonly output: Value;
}

/** A model's graph as a function to be differentiated: the same nodes that the runtime lowers. */
export class TrainGraph {
  private readonly nodes: readonly Node[];
  private readonly inputs: readonly Port[];
  private readonly output: string;
  private readonly context: (node: Node) => OpContext;
  private readonly widthOf: (port: Port) => { width: number; timed: boolean };
  private states = new Map<string, CarriedState>();

  /**
   * `output` names the value to compute; by default the graph's first output.
   * @throws MODEL_UNSUPPORTED naming an op that cannot be trained through
   */
  constructor(model: Model, output?: string) {
    const { graph, name } = graphOf(model);
    const analysis = analyse(model, name);
    this.output = output ?? graph.outputs[0]!.value;
    this.nodes = neededFor(this.output, graph.nodes);
    this.inputs = graph.inputs;
    if (graph.states.length > 0) {
      fail('MODEL_UNSUPPORTED', 'a model whose states are ports cannot be trained', {
        place: graph.states[0]!.input,
        hint: 'train the model that it was exported from',
      });
    }
    for (const { op, name: place } of this.nodes) {
      if (!trainOps.has(op)) {
        fail('MODEL_UNSUPPORTED', `"${op}" cannot be trained through`, {
          place,
          expected: [...trainOps.keys()].join(', '),
        });
      }
    }
    this.context = (node) => new OpContext(node, model, analysis.values, [...analysis.times]);
    this.widthOf = (port) => {
      const type = analysis.values.get(port.name)!;
      return { width: sizeOf(type.shape), timed: hasTime(analysis.times[type.time]!) };
    };
  }

  /** Forgets carried states. */
  reset(): void {
    this.states = new Map();
  }

  /** States to begin the next batch with, by node. */
  carriedStates(): ReadonlyMap<string, CarriedState> {
    return new Map(this.states);
  }

  restoreStates(states: ReadonlyMap<string, CarriedState>): void {
    this.states = new Map(states);
  }

  /** @throws INPUT_SHAPE, and what the ops refuse */
  forward(backend: Backend, parameters: Parameters, inputs: BatchInputs, options: ForwardOptions): Forward {
    const { batch } = options;
    const tape = new Tape(backend);
    const values = new Map<string, Value>();
    for (const port of this.inputs) {
      const lengths = options.lengths?.[port.name];
      values.set(port.name, { ...this.load(tape, port, inputs[port.name]!, batch), ...(lengths ? { lengths } : {}) });
    }
    const ports = new Set(this.inputs.map(({ name }) => name));
    for (const node of this.nodes) {
      const outputs = trainOps.get(node.op)!(this.contextOf(tape, node, values, ports, parameters, options));
      for (const [name, value] of Object.entries(node.outputs)) values.set(value, outputs[name]!);
    }
    return { tape, output: values.get(this.output)! };
  }

  private contextOf(
    tape: Tape,
    node: Node,
    values: ReadonlyMap<string, Value>,
    ports: ReadonlySet<string>,
    parameters: Parameters,
    { batch, random, dropout = 0, recurrentDropout = 0, training = false, carry = false }: ForwardOptions,
  ): TrainContext {
    const drops = random && dropout > 0 && (node.op === 'recurrent' || node.op === 'dense');
    const known = new Map<string, Value>();
    const read = (name: string): Value | undefined => {
      const value = node.inputs[name];
      if (value === undefined) return undefined;
      const found = values.get(value)!;
      if (!drops || name !== 'x' || ports.has(value)) return found;
      const dropped = known.get(name) ?? { ...found, v: dropOut(tape, found.v, dropout, random) };
      known.set(name, dropped);
      return dropped;
    };
    return {
      tape,
      batch,
      op: this.context(node),
      input: (name) => read(name)!,
      optional: read,
      weight: (role) => (node.weights[role] === undefined ? undefined : parameters.get(node.weights[role])),
      moves: training && node.weights.scale !== undefined && parameters.moves(node.weights.scale),
      recurrentDropout: (width) =>
        random && recurrentDropout > 0 ? dropFactors(tape.backend, batch, width, recurrentDropout, random) : undefined,
      carried: () => (carry ? this.states.get(node.name) : undefined),
      carry: (state) => {
        if (carry) this.states.set(node.name, state);
      },
    };
  }

  /** [batch, time, width] → [time·batch, width] */
  private load(tape: Tape, port: Port, array: ArrayLike<number>, batch: number): Value {
    const { width, timed } = this.widthOf(port);
    const steps = timed ? array.length / (batch * width) : 1;
    if (!Number.isInteger(steps) || steps < 1 || array.length !== steps * batch * width) {
      fail('INPUT_SHAPE', `input "${port.name}" has the wrong number of values`, {
        place: port.name,
        expected: `a multiple of ${batch} × ${width}`,
        found: `${array.length}`,
      });
    }
    const m = tape.backend.alloc(steps * batch, width);
    if (tape.backend.name === 'counting') return { v: tape.constant(m), steps };
    const data = new Float64Array(array.length);
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < steps; t++) {
        for (let i = 0; i < width; i++) data[(t * batch + b) * width + i] = array[(b * steps + t) * width + i]!;
      }
    }
    tape.backend.write(m, data);
    return { v: tape.constant(m), steps };
  }
}

/** Nodes that the value depends on, in order. */
export function neededFor(value: string, nodes: readonly Node[]): Node[] {
  const needed = new Set([value]);
  const out: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (!Object.values(node.outputs).some((output) => needed.has(output))) continue;
    for (const input of Object.values(node.inputs)) needed.add(input);
    out.push(node);
  }
  return out.reverse();
}

/** 1/(1 − rate) or 0 (Srivastava et al. 2014). */
function dropFactors(backend: Backend, rows: number, cols: number, rate: number, random: () => number): Matrix {
  const factors = new Float32Array(rows * cols);
  for (let i = 0; i < factors.length; i++) factors[i] = random() < rate ? 0 : 1 / (1 - rate);
  const m = backend.alloc(rows, cols);
  backend.write(m, factors);
  return m;
}

function dropOut(tape: Tape, v: Var, rate: number, random: () => number): Var {
  return multiplyBy(tape, v, dropFactors(tape.backend, v.value.rows, v.value.cols, rate, random));
}
