import { crc32, fail, type Model, type OutputPort, sizeOf, validate } from '@gatefold/runtime';
import { GraphBuilder } from '../graph-builder.ts';
import { foldCells, ordered } from './cells/fold.ts';
import { foldLayerNorms } from './cells/layer-norm.ts';
import { constantOf } from './constant.ts';
import { Lift } from './lift.ts';
import type { Operation, Signal } from './lifted.ts';
import { withoutLoops } from './loops.ts';
import { handlers } from './ops/index.ts';
import { parseTflite, type Subgraph, type Tensor } from './parse.ts';
import { whole } from './pieces.ts';
import { inputPort, statePieces } from './ports.ts';
import { withoutRecoding } from './recoding.ts';
import { keepsState, pairStates, stateInputs } from './states.ts';

/** Whether the bytes are a TensorFlow Lite model, by the identifier of its flatbuffer. */
export function isTflite(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(4, 8)) === 'TFL3';
}

/**
 * Reads a TensorFlow Lite model: fused and unrolled recurrent layers, float, float16, dynamic-range and full-integer.
 * Ports carry real numbers whatever the file's types; what the file quantizes between layers is computed in float32.
 * States that the file keeps in variables, or hands in and out, become the layers' own.
 * @throws FILE_*, MODEL_UNSUPPORTED naming the operator, MODEL_INVALID, MODEL_SHAPE, MODEL_VALUE
 */
export async function readTflite(bytes: Uint8Array, { name }: { readonly name?: string } = {}): Promise<Model> {
  const file = parseTflite(bytes);
  if (file.graphs.length === 0) return fail('MODEL_INVALID', 'the file holds no graph');
  checkUsed(file.graphs);
  const stored = withoutLoops(file.graphs);
  const graph = withoutRecoding(stored);
  const operations = ordered(graph, foldCells(graph, foldLayerNorms(graph, graph.operators)));
  const states = stateInputs(graph, operations);
  const origin = quantizedPorts(stored);
  const first = build(graph, operations, states, { bytes: bytes.length, name, origin });
  if (first.unpaired.length === 0) return first.model;
  // States that are not handed on stay inputs.
  const rest = states.filter((state) => !first.unpaired.includes(state));
  return build(graph, operations, rest, { bytes: bytes.length, name, origin }).model;
}

/**
 * Refuses tensors that no operator uses. What a loop was given as a constant the converter leaves behind beside its copy
 * in the loop's graph: that is nothing lost.
 */
function checkUsed(graphs: readonly Subgraph[]): void {
  const key = (data: Uint8Array) => `${data.length} ${crc32(data)}`;
  const unused: Tensor[] = [];
  const known = new Set<string>();
  for (const { operators, outputs, tensors } of graphs) {
    const used = new Set([...operators.flatMap(({ inputs }) => inputs), ...outputs]);
    for (const tensor of tensors) {
      if (!tensor.data) continue;
      if (used.has(tensor.index)) known.add(key(tensor.data));
      else unused.push(tensor);
    }
  }
  const lost = unused.filter(({ data }) => graphs.length === 1 || !known.has(key(data!)));
  if (lost.length === 0) return;
  fail('FILE_UNUSED', 'the file holds tensors that no operator uses', {
    place: lost
      .map(({ name }) => name)
      .join(', ')
      .slice(0, 200),
  });
}

/** What is known of a file beside its graph. */
interface FileFacts {
  readonly bytes: number;
  readonly name: string | undefined;
  readonly origin: Readonly<Record<string, unknown>>;
}

interface Built {
  readonly model: Model;
  /** State inputs that no output hands on. */
  readonly unpaired: readonly number[];
}

function build(
  graph: Subgraph,
  operations: readonly Operation[],
  states: readonly number[],
  { bytes, name, origin }: FileFacts,
): Built {
  const builder = new GraphBuilder();
  const lift = new Lift(builder, graph, bytes);
  const opened = states.length > 0 || keepsState(graph);
  const names = new Set<string>();
  for (const input of graph.inputs) {
    const tensor = named(graph.tensors[input]!, names);
    if (states.includes(input)) {
      lift.set(input, statePieces(lift, tensor));
      continue;
    }
    const { port, signal } = inputPort(graph, tensor, opened);
    builder.addInput(port);
    lift.set(input, signal);
  }
  for (const tensor of graph.tensors) {
    if (tensor.data && !graph.inputs.includes(tensor.index) && !tensor.variable)
      lift.set(tensor.index, constantOf(tensor));
  }
  for (const operation of operations) {
    const handler =
      handlers.get(operation.name) ??
      fail('MODEL_UNSUPPORTED', `operator ${operation.name} is not read`, {
        place: operation.place,
        hint: `tensor "${lift.nodeName(operation)}"`,
      });
    handler(lift, operation);
  }
  const pairs = pairStates(lift, states);
  const unpaired = states.filter((state) => !pairs.has(state));
  const handedOn = new Set(pairs.values());
  const outputs = graph.outputs
    .filter((output) => !handedOn.has(output))
    .map((output): OutputPort => outputPort(lift, output, names));
  const main = builder.graph(outputs);
  const model: Model = {
    name: name ?? (graph.name || 'model'),
    graphs: { main },
    weights: builder.weightsOf(main),
    metadata: {},
    origin: {
      format: 'tflite',
      ...(pairs.size > 0
        ? { states: [...pairs].map(([input, output]) => ({ input: lift.nameOf(input), output: lift.nameOf(output) })) }
        : {}),
      ...origin,
    },
  };
  return { model: unpaired.length === 0 ? validate(model) : model, unpaired };
}

/** How the file's own integers stand for the real numbers of its ports. */
function quantizedPorts({ tensors, inputs, outputs }: Subgraph): Record<string, unknown> {
  const ports = [...inputs, ...outputs].flatMap((index) => {
    const { name, type, quantization } = tensors[index]!;
    return quantization && type !== 'FLOAT32'
      ? [[name, { type, scale: quantization.scales[0], zero: quantization.zeros[0] }] as const]
      : [];
  });
  return ports.length === 0 ? {} : { quantizedPorts: Object.fromEntries(ports) };
}

/** A name that no other port has. */
function unique(name: string, names: Set<string>): string {
  let free = name;
  for (let n = 1; names.has(free); n++) free = `${name}:${n}`;
  names.add(free);
  return free;
}

function named(tensor: Tensor, names: Set<string>): Tensor {
  return { ...tensor, name: unique(tensor.name || `input ${tensor.index}`, names) };
}

function outputPort(lift: Lift, output: number, names: Set<string>): OutputPort {
  const name = lift.nameOf(output);
  const operation: Operation = { name: 'output', inputs: [], outputs: [output], options: {}, place: name };
  const lifted = lift.get(output, name);
  if (lifted.kind !== 'signal')
    lift.refuse(operation, lifted.kind === 'constant' ? 'is constant' : 'is put together of several values');
  const signal: Signal = whole(lift, operation, lifted);
  const features = signal.shape.at(-1)!;
  const { builder } = lift;
  let { value } = signal;
  if (signal.time !== -1 && signal.time === signal.shape.length - 1 && signal.shape.length > 2) {
    value = lift.node(operation, 'transpose', { x: value });
  } else if (signal.time === -1 && signal.shape.length < 3 && builder.isSequence(value) && builder.steps(value) === 1) {
    value = lift.node(operation, 'last', { x: value });
  }
  const { shape } = builder.type(value);
  if (shape.length > 1 && sizeOf(shape) === features) {
    value = lift.node(operation, 'reshape', { x: value }, { shape: [features], keepTime: true });
  }
  return { name: unique(name, names), value };
}
