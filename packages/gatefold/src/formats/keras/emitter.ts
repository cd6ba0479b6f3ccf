import { type Activation, type Attributes, type AttributeValue, denseWeight, fail, type Node, type Weight } from '@gatefold/runtime';

const maxNodes = 100_000;

export interface NodeOptions {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly attributes?: Attributes;
  readonly weights?: Readonly<Record<string, string>>;
  /** Output names of the op; the first gives its value the node's name. */
  readonly outputs?: readonly string[];
}

/** Collects the nodes and weights of the model that is read. */
export class Emitter {
  readonly nodes: Node[] = [];
  readonly weights: Record<string, Weight> = {};
  private readonly nodeNames = new Set<string>();
  private readonly valueNames: Set<string>;

  /** `taken` are the names of the input ports: they are values too. */
  constructor(taken: Iterable<string>) {
    this.valueNames = new Set(taken);
  }

  /** Adds a node; returns its values by output name. */
  nodeOf(name: string, op: string, { inputs = {}, attributes = {}, weights = {}, outputs = ['y'] }: NodeOptions): Record<string, string> {
    if (this.nodes.length >= maxNodes) {
      fail('FILE_TOO_LARGE', 'the model has too many operations', { place: name, expected: `at most ${maxNodes}` });
    }
    const own = unique(name, this.nodeNames);
    const values: Record<string, string> = {};
    for (const output of outputs) {
      values[output] = unique(output === outputs[0] && (output === 'y' || outputs.length === 1) ? own : `${own}:${output}`, this.valueNames);
    }
    this.nodes.push({ name: own, op, inputs, outputs: values, attributes, weights });
    return values;
  }

  /** Adds a node of one output; returns its value. */
  node(name: string, op: string, x: string, options: NodeOptions = {}): string {
    return this.nodeOf(name, op, { ...options, inputs: { x, ...options.inputs } }).y!;
  }

  unary(name: string, x: string, activation: Activation): string {
    return this.node(name, 'unary', x, { attributes: { function: activationAttribute(activation) } });
  }

  binary(name: string, fn: string, a: string, b: string): string {
    return this.nodeOf(name, 'binary', { inputs: { a, b }, attributes: { function: fn } }).y!;
  }

  /**
   * Adds a weight where it is new (call sites of a shared layer bring the same); returns its name.
   * @throws MODEL_VALUE where it holds NaN or infinities
   */
  weight(name: string, shape: readonly number[], make: () => Float32Array): string {
    if (!Object.hasOwn(this.weights, name)) {
      const values = make();
      const odd = values.findIndex((value) => !Number.isFinite(value));
      if (odd >= 0) {
        fail('MODEL_VALUE', 'a weight is not a finite number', {
          place: name,
          found: `${values[odd]} at position ${odd} of ${values.length}`,
          hint: 'the training diverged: save the model from an earlier checkpoint',
        });
      }
      this.weights[name] = denseWeight(shape, values);
    }
    return name;
  }
}

/** JSON has no infinity: null stands for it; constants at the end that are the defaults are left out by the caller. */
export function activationAttribute(activation: Activation): AttributeValue {
  return activation.map((item) => (item === Number.POSITIVE_INFINITY ? null : item));
}

function unique(name: string, taken: Set<string>): string {
  let own = name;
  for (let i = 1; taken.has(own); i++) own = `${name}@${i}`;
  taken.add(own);
  return own;
}
