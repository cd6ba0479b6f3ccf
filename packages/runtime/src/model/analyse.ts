import { checkSparse } from '../encodings/index.ts';
import { fail } from '../errors/index.ts';
import { OpContext, type ValueType } from './context.ts';
import { ops } from './ops/index.ts';
import { hasTime, staticLength, type TimeClass } from './time.ts';
import type { Dim, Graph, Model, Port } from './types.ts';

export interface NodeAnalysis {
  /** Multiply-accumulates per row of the node's first output. */
  readonly macsPerRow: number;
  /** Time class of those rows. */
  readonly time: number;
}

/** What inference over a graph finds: types of all values, rows, cost, and what prevents streaming. */
export interface Analysis {
  readonly values: ReadonlyMap<string, ValueType>;
  readonly times: readonly TimeClass[];
  readonly nodes: ReadonlyMap<string, NodeAnalysis>;
  /** Why the graph needs whole sequences; empty where it streams step by step. */
  readonly wholeReasons: readonly string[];
}

/** The graph of a model by name; by default its only, or its first. */
export function graphOf(model: Model, name?: string): { name: string; graph: Graph } {
  const key = name ?? Object.keys(model.graphs)[0] ?? '';
  const graph = Object.hasOwn(model.graphs, key) ? model.graphs[key] : undefined;
  if (!graph) {
    fail('MODEL_INVALID', `no graph "${key}"`, { expected: Object.keys(model.graphs).join(' | ') || 'a graph' });
  }
  return { name: key, graph };
}

function portType(port: Port, times: TimeClass[]): ValueType {
  const place = `input "${port.name}"`;
  const [batch, ...rest] = port.shape;
  const dims: Dim[] =
    batch === 'batch' ? rest : fail('MODEL_INVALID', 'the first dimension must be "batch"', { place });
  const shape = dims.filter((dim, i): dim is number => !(i === 0 && isTime(dims)) && typeof dim === 'number');
  if (shape.length !== dims.length - (isTime(dims) ? 1 : 0) || shape.some((n) => !(Number.isInteger(n) && n > 0))) {
    fail('MODEL_INVALID', 'dimensions after time must be positive whole numbers', {
      place,
      found: `[${port.shape.join(', ')}]`,
    });
  }
  if (!isTime(dims)) return { time: 0, shape, dtype: port.dtype };
  const length = dims[0];
  const time: TimeClass =
    typeof length === 'number' ? { kind: 'port', port: port.name, length } : { kind: 'port', port: port.name };
  return { time: times.push(time) - 1, shape, dtype: port.dtype };
}

/** Whether the first dimension after the batch is time: an open one, or the first of several. */
function isTime(dims: readonly Dim[]): boolean {
  return dims[0] === 'time' || dims.length > 1;
}

/**
 * Infers the type of every value of the graph.
 * @throws MODEL_INVALID, MODEL_SHAPE, MODEL_UNSUPPORTED with the node's name
 */
export function analyse(model: Model, graphName?: string): Analysis {
  const { graph } = graphOf(model, graphName);
  const times: TimeClass[] = [{ kind: 'none' }];
  const values = new Map<string, ValueType>();
  const nodes = new Map<string, NodeAnalysis>();
  const wholeReasons: string[] = [];
  const define = (name: string, type: ValueType, place: string) => {
    if (values.has(name)) fail('MODEL_INVALID', `two values are named "${name}"`, { place });
    values.set(name, type);
  };
  for (const port of graph.inputs) define(port.name, portType(port, times), `input "${port.name}"`);
  const seen = new Set<string>();
  for (const node of graph.nodes) {
    const definition = ops.get(node.op);
    if (!definition) fail('MODEL_UNSUPPORTED', `unknown op "${node.op}"`, { place: node.name });
    if (seen.has(node.name)) fail('MODEL_INVALID', 'two nodes have this name', { place: node.name });
    seen.add(node.name);
    const context = new OpContext(node, model, values, times);
    for (const [what, given, known] of [
      ['input', node.inputs, definition.inputs === 'list' ? undefined : definition.inputs],
      ['output', node.outputs, definition.outputs],
      ['attribute', node.attributes, definition.attributes],
      ['weight', node.weights, definition.weights === 'cell' ? undefined : definition.weights],
    ] as const) {
      const odd = known && Object.keys(given).find((key) => !known.includes(key));
      if (odd !== undefined)
        context.refuse('MODEL_INVALID', `unknown ${what} "${odd}"`, { expected: known?.join(' | ') || 'none' });
    }
    const types = definition.infer(context);
    for (const [output, value] of Object.entries(node.outputs)) {
      const type = Object.hasOwn(types, output) ? types[output] : undefined;
      define(value, type ?? context.refuse('MODEL_INVALID', `it has no output "${output}"`), node.name);
    }
    if (context.wholeReason) wholeReasons.push(`${node.name}: ${context.wholeReason}`);
    nodes.set(node.name, { macsPerRow: context.macsPerRow, time: types[definition.outputs[0]!]!.time });
  }
  if (graph.outputs.length === 0) fail('MODEL_INVALID', 'the graph has no outputs');
  for (const output of graph.outputs) {
    if (!values.has(output.value)) {
      fail('MODEL_INVALID', `output "${output.name}" refers to no value`, { found: output.value });
    }
  }
  checkStates(graph, values, times);
  const streamPorts = graph.inputs.filter((port) => hasTime(times[values.get(port.name)!.time]!));
  const single = graph.inputs.filter((port) => !graph.states.some((state) => state.input === port.name));
  if (streamPorts.length > 0 && streamPorts.length !== single.length) {
    wholeReasons.push('some inputs are sequences and others are not');
  }
  return { values, times, nodes, wholeReasons };
}

function checkStates(graph: Graph, values: ReadonlyMap<string, ValueType>, times: readonly TimeClass[]): void {
  for (const { input, output } of graph.states) {
    const from = graph.outputs.find((port) => port.name === output);
    const to = graph.inputs.find((port) => port.name === input);
    if (!from || !to) fail('MODEL_INVALID', 'a state names no port', { found: `${output} → ${input}` });
    const a = values.get(from.value)!;
    const b = values.get(input)!;
    if (a.shape.join() !== b.shape.join() || hasTime(times[a.time]!) || hasTime(times[b.time]!)) {
      fail('MODEL_SHAPE', 'a state differs between output and input', { place: `${output} → ${input}` });
    }
  }
}

/** The shape of a value as a port shows it. */
export function portShape({ times }: Pick<Analysis, 'times'>, { time, shape }: ValueType): Dim[] {
  return hasTime(times[time]!) ? ['batch', staticLength(times, time) ?? 'time', ...shape] : ['batch', ...shape];
}

/** Checks every graph and every sparse weight of the model; returns it. */
export function validate(model: Model): Model {
  if (Object.keys(model.graphs).length === 0) fail('MODEL_INVALID', 'the model has no graph');
  for (const name of Object.keys(model.graphs)) analyse(model, name);
  for (const [name, weight] of Object.entries(model.weights)) checkSparse(weight, name);
  return model;
}
