import { fail, type Graph, type OutputPort, type Weight } from '@gatefold/runtime';
import { Fixed } from '../../fix.ts';
import { GraphBuilder } from '../../graph-builder.ts';
import type { ReadOptions } from '../../types.ts';
import type { Message } from '../proto/schema.ts';
import { Call } from './call.ts';
import { type FileInput, fileInput, inputTensor, layoutNote } from './ports.ts';
import { Reading } from './reading.ts';
import { inferRoles, type Roles, type SmallConstants } from './roles.ts';
import { runGraph, Scope } from './run.ts';
import { absorbStates } from './states.ts';
import { isUnknown, numbersOf, showTensor, type Tensor } from './tensor.ts';
import { featuresOf, rowOf } from './views.ts';

export interface FileGraph {
  readonly graph: Message<'Graph'>;
  readonly opset: number;
  readonly tensors: Reading['tensors'];
  readonly uses: ReadonlyMap<string, number>;
}

export interface ReadGraph {
  readonly graph: Graph;
  readonly weights: Readonly<Record<string, Weight>>;
  /** How the ports stand in the file. */
  readonly ports: Readonly<Record<string, readonly (string | number)[]>>;
  readonly states: readonly { readonly input: string; readonly output: string }[];
  readonly lifted: boolean;
}

/** Reads the graph of a file. @throws MODEL_*, FILE_*, OPTION_INVALID */
export function readGraph(file: FileGraph, options: Pick<ReadOptions, 'fix' | 'explicitStates'>): ReadGraph {
  const { graph } = file;
  const fixed = new Fixed(options.fix);
  const own = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !own.has(name)).map((info) => fileInput(info, fixed));
  for (const { name } of inputs) fixed.get(name);
  fixed.checkUsed(inputs.flatMap(({ name, dims }) => [name, ...dims.filter(isUnknown).map(({ symbol }) => symbol)]));
  const constants = constantsOf(file);
  const ranks = new Map(inputs.map(({ name, dims }) => [name, dims.length]));
  const roles = inferRoles(graph, ranks, constants);
  const explicit = options.explicitStates === true;
  if (explicit || !isChunk(file, inputs, roles, fixed))
    return read(file, inputs, roles, fixed, { lifted: false, explicit });
  try {
    return read(file, inputs, roles, fixed, { lifted: true, explicit });
  } catch (first) {
    try {
      return read(file, inputs, roles, fixed, { lifted: false, explicit });
    } catch {
      throw first;
    }
  }
}

/** Numbers of small constants by name: initializers and Constant nodes, those of branches too. */
function constantsOf({ graph, tensors }: FileGraph): SmallConstants {
  const out = new Map<string, { numbers: readonly number[]; rank: number }>();
  const add = (name: string | undefined, tensor: Message<'Tensor'> | undefined) => {
    const constant = tensor && tensors.get(tensor);
    const numbers = constant && numbersOf(constant);
    if (name && numbers && numbers.length <= 16)
      out.set(name, { numbers: Array.from(numbers), rank: constant.shape.length });
  };
  const visit = (inner: Message<'Graph'>): void => {
    for (const tensor of inner.initializer) add(tensor.name, tensor);
    for (const node of inner.node) {
      if (node.opType === 'Constant') add(node.output[0], node.attribute[0]?.t);
      for (const { g } of node.attribute) if (g) visit(g);
    }
  };
  visit(graph);
  return out;
}

/**
 * Whether each call of the file is one step of a stream: its states come in and go out, and its other inputs are of fixed
 * size. Then a step of the model is a call, and time is what the file leaves to its caller.
 */
function isChunk({ graph }: FileGraph, inputs: readonly FileInput[], { roles, states }: Roles, fixed: Fixed): boolean {
  const outputs = graph.output.map((info) => fileOutputDims(info));
  const isState = ({ name, dims }: FileInput) =>
    states.has(name) && outputs.some((other) => other === undefined || other.length === dims.length);
  const moving = inputs.some(
    ({ name, dims }) =>
      !states.has(name) && dims.some((dim, axis) => isUnknown(dim) && roles.get(`${name}#${axis}`) === 'time'),
  );
  return !moving && inputs.some((input) => isState(input) && fixed.get(input.name) === undefined);
}

function fileOutputDims(info: Message<'ValueInfo'>): readonly unknown[] | undefined {
  return info.type?.tensorType?.shape?.dim;
}

interface Way {
  readonly lifted: boolean;
  readonly explicit: boolean;
}

function read(
  file: FileGraph,
  inputs: readonly FileInput[],
  roles: Roles,
  fixed: Fixed,
  { lifted, explicit }: Way,
): ReadGraph {
  const builder = new GraphBuilder();
  const reading = new Reading(builder, file.opset, lifted, file.tensors, file.uses);
  const scope = new Scope();
  const ports: Record<string, readonly (string | number)[]> = {};
  for (const input of inputs) {
    const tensor = inputTensor(reading, input, roles, fixed);
    if (tensor.kind === 'value') ports[input.name] = layoutNote(tensor);
    scope.set(input.name, tensor);
  }
  runGraph(reading, file.graph, scope);
  const outputs = file.graph.output.map(({ name = '' }): OutputPort => {
    const tensor =
      scope.get(name) ?? fail('FILE_CORRUPT', 'an output of the graph is made by no node', { place: name });
    const { value, note } = outputValue(reading, name, tensor);
    ports[name] = note;
    return { name, value };
  });
  const absorbed = absorbStates(builder, explicit ? new Set() : roles.states, outputs, lifted, reading.cells);
  if (lifted && builder.inputs.some(({ name }) => roles.states.has(name))) {
    fail('MODEL_UNSUPPORTED', 'a state that comes in does not go out as the same state', {
      place: builder.inputs.find(({ name }) => roles.states.has(name))!.name,
    });
  }
  const graph = builder.graph(absorbed.outputs);
  const standIns = new Set(reading.cells.values());
  const odd = graph.nodes.find(({ name }) => standIns.has(name));
  if (odd) fail('MODEL_UNSUPPORTED', 'a cell state is used for more than the next call', { place: odd.name });
  const used = new Set([
    ...graph.nodes.flatMap((node) => Object.values(node.inputs)),
    ...graph.outputs.map(({ value }) => value),
  ]);
  return {
    graph: { ...graph, inputs: graph.inputs.filter(({ name }) => used.has(name)) },
    weights: builder.weightsOf(graph),
    ports,
    states: absorbed.states,
    lifted,
  };
}

/** The value that an output port shows: its features in the file's order and dimensions. */
function outputValue(
  reading: Reading,
  name: string,
  tensor: Tensor,
): { value: string; note: readonly (string | number)[] } {
  if (tensor.kind !== 'value') {
    fail('MODEL_UNSUPPORTED', 'an output is constant', { place: name, found: showTensor(tensor) });
  }
  const call = new Call(
    reading,
    {
      input: [],
      output: [name],
      name,
      opType: 'output',
      attribute: [],
      overload: undefined,
      domain: undefined,
      docString: undefined,
      metadataProps: undefined,
      deviceConfigurations: undefined,
    },
    [tensor],
  );
  const row = rowOf(call, tensor);
  const sizes = featuresOf(row)
    .map(({ size }) => size)
    .filter((size) => size > 1);
  const value =
    sizes.length > 1 ? call.add('reshape', { x: row.name }, { shape: sizes, keepTime: true }, {}, '/shape') : row.name;
  return { value, note: layoutNote(row) };
}
