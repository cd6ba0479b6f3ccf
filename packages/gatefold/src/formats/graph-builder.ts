import {
  type Activation,
  type AttributeValue,
  denseWeight,
  fail,
  type Graph,
  hasTime,
  type Model,
  type Node,
  OpContext,
  ops,
  type Port,
  type TimeClass,
  type ValueType,
  type Weight,
} from '@gatefold/runtime';

/** Models within models may repeat each other beyond any size. */
const mostNodes = 100_000;
const mostCalls = 200_000;

/** Collects nodes and weights; every node's shapes are inferred at once, so that layers can ask for them. */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly weights: Record<string, Weight> = {};
  readonly inputs: Port[] = [];
  private readonly values = new Map<string, ValueType>();
  private readonly times: TimeClass[] = [{ kind: 'none' }];
  private readonly names = new Set<string>();
  private readonly repeats = new Map<string, number>();
  private calls = 0;

  private get model(): Model {
    return { name: '', graphs: {}, weights: this.weights, metadata: {} };
  }

  addInput(port: Port): void {
    const dims = port.shape.slice(1);
    const timed = dims[0] === 'time' || dims.length > 1;
    let time = 0;
    if (timed) {
      const length = typeof dims[0] === 'number' ? { length: dims[0] } : {};
      time = this.times.push({ kind: 'port', port: port.name, ...length }) - 1;
    }
    this.values.set(port.name, { time, shape: (timed ? dims.slice(1) : dims) as number[], dtype: port.dtype });
    this.inputs.push(port);
  }

  /** Counts a call of a layer. @throws FILE_TOO_LARGE */
  countCall(place: string): void {
    if (++this.calls > mostCalls)
      fail('FILE_TOO_LARGE', 'the model has too many calls of layers', { place: place.slice(0, 120) });
  }

  /** Adds a node; returns the names of its outputs. The node's name gets a number where it is taken. */
  add(
    op: string,
    name: string,
    inputs: Readonly<Record<string, string>>,
    attributes: Readonly<Record<string, AttributeValue>> = {},
    weights: Readonly<Record<string, string>> = {},
    outputs: readonly string[] = ['y'],
  ): Readonly<Record<string, string>> {
    if (this.nodes.length >= mostNodes)
      fail('FILE_TOO_LARGE', 'the model has too many operations', { place: name.slice(0, 120) });
    const unique = this.uniqueName(name);
    const named = Object.fromEntries(
      outputs.map((output) => [output, output === 'y' ? unique : `${unique}:${output}`]),
    );
    const node: Node = { name: unique, op, inputs, outputs: named, attributes, weights };
    const types = ops.get(op)!.infer(new OpContext(node, this.model, this.values, this.times));
    for (const output of outputs) this.values.set(named[output]!, types[output]!);
    this.nodes.push(node);
    return named;
  }

  private uniqueName(name: string): string {
    let unique = name;
    let n = this.repeats.get(name) ?? 1;
    while (this.names.has(unique) || this.values.has(unique)) unique = `${name}@${n++}`;
    this.repeats.set(name, n);
    this.names.add(unique);
    return unique;
  }

  /** A weight by its name; made only where it is not there yet, so that shared layers share it. */
  weight(name: string, make: () => { shape: readonly number[]; data: Float32Array }): string {
    if (!Object.hasOwn(this.weights, name)) {
      const { shape, data } = make();
      const odd = data.findIndex((value) => !Number.isFinite(value));
      if (odd >= 0) {
        fail('MODEL_VALUE', 'a weight is not finite', { place: `${name}[${odd}]`, found: String(data[odd]) });
      }
      this.weights[name] = denseWeight(shape, data);
    }
    return name;
  }

  type(value: string): ValueType {
    return (
      this.values.get(value) ??
      fail('FILE_CORRUPT', 'a layer is called with a tensor that does not exist', { place: value })
    );
  }

  isSequence(value: string): boolean {
    return hasTime(this.times[this.type(value).time]!);
  }

  /** Keras' number of dimensions, the batch included; inside TimeDistributed the steps do not count. */
  rank(value: string, eachStep = false): number {
    return 1 + (this.isSequence(value) && !eachStep ? 1 : 0) + this.type(value).shape.length;
  }

  /** Steps of a value where they are known. */
  steps(value: string): number | undefined {
    const { time } = this.type(value);
    return new OpContext(
      { name: '', op: '', inputs: {}, outputs: {}, attributes: {}, weights: {} },
      this.model,
      this.values,
      this.times,
    ).length(time);
  }

  /** The graph, without nodes that no output needs. */
  graph(outputs: Graph['outputs']): Graph {
    const needed = new Set(outputs.map(({ value }) => value));
    const nodes: Node[] = [];
    for (const node of [...this.nodes].reverse()) {
      const used = Object.entries(node.outputs).filter(([, value]) => needed.has(value));
      if (used.length === 0) continue;
      for (const value of Object.values(node.inputs)) needed.add(value);
      nodes.push({ ...node, outputs: Object.fromEntries(used) });
    }
    return { inputs: this.inputs, outputs, nodes: nodes.reverse(), states: [] };
  }

  /** The weights that a graph uses. */
  weightsOf({ nodes }: Graph): Record<string, Weight> {
    const used = new Set(nodes.flatMap((node) => Object.values(node.weights)));
    return Object.fromEntries(Object.entries(this.weights).filter(([name]) => used.has(name)));
  }
}

/** An activation as an attribute: JSON has no infinity, null stands for it. */
export function activationAttribute([name, ...numbers]: Activation): AttributeValue {
  return [name, ...numbers.map((n) => (n === Number.POSITIVE_INFINITY ? null : n))];
}
