import { fail } from '../errors/index.ts';
import type { Attributes, Dim, Graph, Node, OutputPort, Port, PortState } from '../model/index.ts';
import { isObject } from './safetensors.ts';

/** No network needs more; what claims to is refused before its shapes are worked out. */
const mostNodes = 10_000;

/** Checks the shape of a graph read from JSON; its meaning is checked by the model's analysis. */
export function graphFrom(value: unknown, place: string): Graph {
  const graph = isObject(value) ? value : bad(place, 'an object');
  const count = list(graph.nodes, `${place}.nodes`).length;
  if (count > mostNodes) {
    fail('FILE_TOO_LARGE', 'the graph has too many nodes', {
      place,
      expected: `at most ${mostNodes}`,
      found: `${count}`,
    });
  }
  return {
    inputs: list(graph.inputs, `${place}.inputs`).map((port, i) => portFrom(port, `${place}.inputs[${i}]`)),
    outputs: list(graph.outputs, `${place}.outputs`).map((port, i) => outputFrom(port, `${place}.outputs[${i}]`)),
    nodes: list(graph.nodes, `${place}.nodes`).map((node, i) => nodeFrom(node, `${place}.nodes[${i}]`)),
    states: list(graph.states, `${place}.states`).map((state, i) => stateFrom(state, `${place}.states[${i}]`)),
  };
}

function portFrom(value: unknown, place: string): Port {
  const port = isObject(value) ? value : bad(place, 'an object');
  const shape = list(port.shape, `${place}.shape`);
  const dims = shape.every((dim) => dim === 'batch' || dim === 'time' || Number.isSafeInteger(dim));
  if (!dims) bad(`${place}.shape`, 'numbers, "batch" and "time"');
  if (port.dtype !== 'float32' && port.dtype !== 'int32') bad(`${place}.dtype`, 'float32 | int32');
  return { name: text(port.name, `${place}.name`), shape: shape as Dim[], dtype: port.dtype as Port['dtype'] };
}

function outputFrom(value: unknown, place: string): OutputPort {
  const port = isObject(value) ? value : bad(place, 'an object');
  return { name: text(port.name, `${place}.name`), value: text(port.value, `${place}.value`) };
}

function stateFrom(value: unknown, place: string): PortState {
  const state = isObject(value) ? value : bad(place, 'an object');
  return { input: text(state.input, `${place}.input`), output: text(state.output, `${place}.output`) };
}

function nodeFrom(value: unknown, place: string): Node {
  const node = isObject(value) ? value : bad(place, 'an object');
  return {
    name: text(node.name, `${place}.name`),
    op: text(node.op, `${place}.op`),
    inputs: texts(node.inputs, `${place}.inputs`),
    outputs: texts(node.outputs, `${place}.outputs`),
    attributes: isObject(node.attributes) ? (node.attributes as Attributes) : bad(`${place}.attributes`, 'an object'),
    weights: texts(node.weights, `${place}.weights`),
  };
}

function texts(value: unknown, place: string): Record<string, string> {
  const record = isObject(value) ? value : bad(place, 'an object of names');
  for (const [key, name] of Object.entries(record)) text(name, `${place}.${key}`);
  return record as Record<string, string>;
}

function text(value: unknown, place: string): string {
  return typeof value === 'string' ? value : bad(place, 'a string');
}

function list(value: unknown, place: string): unknown[] {
  return Array.isArray(value) ? value : bad(place, 'a list');
}

function bad(place: string, expected: string): never {
  return fail('FILE_CORRUPT', 'malformed graph', { place, expected });
}
