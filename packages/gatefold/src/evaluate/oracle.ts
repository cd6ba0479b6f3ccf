import {
  analyse,
  cellOf,
  decode,
  fail,
  graphOf,
  type Model,
  type Node,
  OpContext,
  parseActivation,
} from '@gatefold/runtime';
import { functions64 } from '../train/functions64.ts';
import { Float64Ops, nextStates, type States, type Values, zeroStates } from './float64-ops.ts';

/** Steps a model in float64; for graphs of recurrent (forward), dense, unary, softmax, last and embedding nodes. */
export class Float64Oracle {
  private readonly model: Model;
  private readonly nodes: readonly Node[];
  private readonly weights = new Map<string, Values>();
  private readonly states = new Map<string, States>();
  private readonly input: string;
  private readonly output: string;
  private readonly context: (node: Node) => OpContext;

  /** @throws MODEL_UNSUPPORTED for other graphs */
  constructor(model: Model) {
    const { graph, name } = graphOf(model);
    const known = ['recurrent', 'dense', 'unary', 'softmax', 'last', 'embedding'];
    const odd = graph.nodes.find(
      (node) => !known.includes(node.op) || node.attributes.direction === 'backward' || node.inputs.mask !== undefined,
    );
    if (odd || graph.inputs.length !== 1) {
      fail('MODEL_UNSUPPORTED', 'the float64 oracle has no meaning for this graph', {
        place: odd?.name ?? 'inputs',
        expected: known.join(', '),
      });
    }
    const analysis = analyse(model, name);
    this.context = (node) => new OpContext(node, model, analysis.values, [...analysis.times]);
    this.model = model;
    this.nodes = graph.nodes;
    this.input = graph.inputs[0]!.name;
    this.output = graph.outputs[0]!.value;
  }

  private weight(node: Node, role: string): Values {
    const name = node.weights[role]!;
    let values = this.weights.get(name);
    if (!values) {
      values = Float64Array.from(decode(this.model.weights[name]!));
      this.weights.set(name, values);
    }
    return values;
  }

  step(x: ArrayLike<number>): Values {
    const values = new Map<string, Values>([[this.input, Float64Array.from(x)]]);
    for (const node of this.nodes) {
      const value = this.compute(node, values.get(node.inputs.x!)!);
      for (const [output, name] of Object.entries(node.outputs)) {
        values.set(name, output === 'y' ? value : this.states.get(node.name)![output]!);
      }
    }
    return values.get(this.output)!;
  }

  private compute(node: Node, x: Values): Values {
    if (node.op === 'last') return x;
    if (node.op === 'unary') {
      const [name, ...parameters] = parseActivation(node.attributes.function)!;
      return x.map((value) => functions64(name, value, parameters));
    }
    if (node.op === 'softmax') {
      const largest = Math.max(...x);
      const e = x.map((value) => Math.exp(value - largest));
      const sum = e.reduce((a, b) => a + b, 0);
      return e.map((value) => value / sum);
    }
    if (node.op === 'embedding') {
      const table = this.weight(node, 'table');
      const width = this.model.weights[node.weights.table!]!.shape[1]!;
      return table.slice(x[0]! * width, (x[0]! + 1) * width);
    }
    if (node.op === 'dense') {
      const rows = this.model.weights[node.weights.kernel!]!.shape[0]!;
      const ops = new Float64Ops((role) => this.weight(node, role), rows, 1);
      return ops.linear('kernel', x, node.weights.bias === undefined ? {} : { bias: 'bias' });
    }
    const { cell, options } = cellOf(this.context(node));
    const ops = new Float64Ops((role) => this.weight(node, role), options.units, cell.gates(options).length);
    const before = this.states.get(node.name) ?? zeroStates(cell, options);
    const after = nextStates(ops, cell, options, x, before);
    this.states.set(node.name, after);
    return after.h!;
  }
}
