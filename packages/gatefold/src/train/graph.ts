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
import { dropFactors, dropOut } from './dropout.ts';
import { joinRows } from './functions.ts';
import { type CarriedState, type TrainContext, trainOps, type Value } from './ops/index.ts';
import type { Parameters } from './parameters.ts';
import { isStepwise, States, stepOf } from './states.ts';
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

/** A state that comes in by a port and goes out by another. */
interface StatePort {
  readonly input: string;
  /** The value that it is afterwards. */
  readonly value: string;
  readonly width: number;
  /** Among the owners of states. */
  readonly owner: string;
}

/** What one batch goes through the graph with. */
interface Pass {
  readonly tape: Tape;
  readonly parameters: Parameters;
  readonly options: ForwardOptions;
  readonly states: States;
  /** Dropout of recurrent states by node: the same at all steps. */
  readonly dropped: Map<string, Matrix>;
}

/** A model's graph as a function to be differentiated: the same nodes that the runtime lowers. */
export class TrainGraph {
  private readonly nodes: readonly Node[];
  private readonly inputs: readonly Port[];
  private readonly ports: ReadonlySet<string>;
  private readonly statePorts: readonly StatePort[];
  private readonly stepwise: boolean;
  private readonly output: string;
  private readonly context: (node: Node) => OpContext;
  private readonly widthOf: (port: Port) => { width: number; timed: boolean };
  /** By node, and by port. */
  private states = new Map<string, CarriedState>();

  /**
   * `output` names the value to compute; by default the graph's first output.
   * @throws MODEL_UNSUPPORTED naming an op that cannot be trained through
   */
  constructor(model: Model, output?: string) {
    const { graph, name } = graphOf(model);
    const analysis = analyse(model, name);
    this.output = output ?? graph.outputs[0]!.value;
    const { values } = analysis;
    this.statePorts = graph.states.map(({ input, output: port }) => ({
      input,
      value: graph.outputs.find((candidate) => candidate.name === port)!.value,
      width: sizeOf(values.get(input)!.shape),
      owner: `port:${input}`,
    }));
    this.nodes = neededFor([this.output, ...this.statePorts.map(({ value }) => value)], graph.nodes);
    this.ports = new Set(graph.inputs.map((port) => port.name));
    this.inputs = graph.inputs.filter((port) => !this.statePorts.some(({ input }) => input === port.name));
    this.stepwise = isStepwise(graph);
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

  /** States to begin the next batch with, by node and by port. */
  carriedStates(): ReadonlyMap<string, CarriedState> {
    return new Map(this.states);
  }

  restoreStates(states: ReadonlyMap<string, CarriedState>): void {
    this.states = new Map(states);
  }

  /** @throws INPUT_SHAPE, and what the ops refuse */
  forward(backend: Backend, parameters: Parameters, inputs: BatchInputs, options: ForwardOptions): Forward {
    const { batch, carry = false } = options;
    const tape = new Tape(backend);
    const states = new States(tape, batch, carry ? this.states : new Map());
    const pass: Pass = { tape, parameters, options, states, dropped: new Map() };
    const loaded = new Map(
      this.inputs.map((port): [string, Value] => {
        const lengths = options.lengths?.[port.name];
        return [port.name, { ...this.load(tape, port, inputs[port.name]!, batch), ...(lengths ? { lengths } : {}) }];
      }),
    );
    const output = this.stepwise ? this.allSteps(pass, loaded) : this.once(pass, loaded);
    if (carry) this.states = states.carried();
    return { tape, output };
  }

  /** All nodes, each once; returns the output. */
  private once(pass: Pass, inputs: ReadonlyMap<string, Value>): Value {
    const { tape, options, states } = pass;
    const values = new Map(inputs);
    for (const { input, owner, width } of this.statePorts) {
      const v = states.of(owner)?.state ?? tape.constant(tape.zeros(options.batch, width));
      values.set(input, { v, steps: 1 });
    }
    for (const node of this.nodes) {
      const outputs = trainOps.get(node.op)!(this.contextOf(pass, node, values));
      for (const [name, value] of Object.entries(node.outputs)) values.set(value, outputs[name]!);
    }
    for (const { owner, value } of this.statePorts) states.set(owner, { state: values.get(value)!.v });
    return values.get(this.output)!;
  }

  /** One step after the other, the states of each the beginning of the next. */
  private allSteps(pass: Pass, inputs: ReadonlyMap<string, Value>): Value {
    const { tape, options } = pass;
    const [first] = inputs.values();
    const { steps, lengths } = first!;
    const odd = [...inputs].find(([, value]) => value.steps !== steps);
    if (odd) {
      fail('INPUT_SHAPE', 'the inputs have different numbers of steps', {
        ...{ place: odd[0], expected: `${steps}`, found: `${odd[1].steps}` },
      });
    }
    const parts: Var[] = [];
    for (let t = 0; t < steps; t++) {
      const now = [...inputs].map(([name, value]): [string, Value] => [name, stepOf(tape, value, options.batch, t)]);
      parts.push(this.once(pass, new Map(now)).v);
    }
    return { v: joinRows(tape, parts), steps, ...(lengths ? { lengths } : {}) };
  }

  private contextOf(
    { tape, parameters, options, states, dropped }: Pass,
    node: Node,
    values: ReadonlyMap<string, Value>,
  ): TrainContext {
    const { batch, random, dropout = 0, recurrentDropout = 0, training = false } = options;
    const drops = random && dropout > 0 && (node.op === 'recurrent' || node.op === 'dense');
    const known = new Map<string, Value>();
    const read = (name: string): Value | undefined => {
      const value = node.inputs[name];
      if (value === undefined) return undefined;
      const found = values.get(value)!;
      if (!drops || name !== 'x' || this.ports.has(value)) return found;
      const made = known.get(name) ?? { ...found, v: dropOut(tape, found.v, dropout, random) };
      known.set(name, made);
      return made;
    };
    return {
      tape,
      batch,
      op: this.context(node),
      input: (name) => read(name)!,
      optional: read,
      weight: (role) => (node.weights[role] === undefined ? undefined : parameters.get(node.weights[role])),
      moves: training && node.weights.scale !== undefined && parameters.moves(node.weights.scale),
      recurrentDropout(width) {
        if (!random || recurrentDropout === 0) return undefined;
        const factors = dropped.get(node.name) ?? dropFactors(tape.backend, batch, width, recurrentDropout, random);
        dropped.set(node.name, factors);
        return factors;
      },
      before: () => states.of(node.name),
      after: (made) => states.set(node.name, made),
    };
  }

  /** [batch, time, width] → [time·batch, width] */
  private load(tape: Tape, port: Port, array: ArrayLike<number>, batch: number): Value {
    const { width, timed } = this.widthOf(port);
    const steps = timed || this.stepwise ? array.length / (batch * width) : 1;
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

/** Nodes that the values depend on, in order. */
export function neededFor(values: readonly string[], nodes: readonly Node[]): Node[] {
  const needed = new Set(values);
  const out: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (!Object.values(node.outputs).some((output) => needed.has(output))) continue;
    for (const input of Object.values(node.inputs)) needed.add(input);
    out.push(node);
  }
  return out.reverse();
}
