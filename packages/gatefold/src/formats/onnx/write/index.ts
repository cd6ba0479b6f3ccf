import {
  analyse,
  type Dim,
  fail,
  graphOf,
  type Model,
  type Node,
  type OutputPort,
  type Port,
  portShape,
} from '@gatefold/runtime';
import type { WriteOptions, WrittenModel } from '../../types.ts';
import { looksLikeJson } from '../metadata.ts';
import { encodeMessage } from '../proto/encode.ts';
import type { Draft } from '../proto/schema.ts';
import { operations } from './operations.ts';
import { type StatePorts, writeRecurrent } from './recurrent.ts';
import { elementTypes, Writer } from './writer.ts';

/** onnxruntime reads this version of the format since 2022. */
const irVersion = 8;
/** Four-bit types came with version 10. */
const irVersionOfInt4 = 10;

function valueInfo(
  name: string,
  type: keyof typeof elementTypes,
  dims: readonly (number | string)[],
): Draft<'ValueInfo'> {
  const dim = dims.map((n) => (typeof n === 'number' ? { dimValue: n } : { dimParam: n }));
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: { dim } } } };
}

/** Names of open lengths: the one sequence's `time`, else each port its own. */
function dimsOf(shape: readonly Dim[], port: string, single: boolean): (number | string)[] {
  return shape.map((dim) => (dim === 'time' && !single ? `${port}_time` : dim));
}

/** Whether the states of the cells go in and out of the file: where the model came so, or keeps them between calls. */
function wantsStates(model: Model, nodes: readonly Node[], { explicitStates }: WriteOptions): boolean {
  if (explicitStates !== undefined) return explicitStates;
  return model.origin?.states !== undefined || nodes.some(({ attributes }) => attributes.stateful === true);
}

/**
 * Writes a model as ONNX (opset 17; 21 where weights of 4 or more than 8 bits need it). Weights are stored as they are
 * coded, with nodes that decode them to exactly the values that our runtime uses.
 * @throws MODEL_UNSUPPORTED naming the node that ONNX has no op for
 */
export async function writeOnnx(model: Model, options: WriteOptions = {}): Promise<WrittenModel> {
  if (Object.keys(model.graphs).length !== 1)
    fail('MODEL_UNSUPPORTED', 'an ONNX file holds one graph', { found: Object.keys(model.graphs).join(', ') });
  const { graph, name } = graphOf(model);
  const analysis = analyse(model, name);
  const writer = new Writer(model, analysis);
  const open = graph.inputs.filter(({ shape }) => shape.includes('time'));
  const inputs: Draft<'ValueInfo'>[] = graph.inputs.map((port) => {
    writer.bind(port.name, writer.unique(port.name));
    return valueInfo(
      port.name,
      port.dtype === 'int32' ? 'int32' : 'float',
      dimsOf(port.shape, port.name, open.length === 1),
    );
  });
  for (const port of graph.outputs) writer.unique(port.name);
  const outputs: Draft<'ValueInfo'>[] = [];
  const states: Draft<'ValueInfo'>[] = [];
  const ports = wantsStates(model, graph.nodes, options) ? statePorts(writer, inputs, states) : undefined;
  for (const node of graph.nodes) {
    // A file that came with states had windows that began anew in each call: that is what it gets back.
    if (ports && model.origin?.states === undefined && windowed.includes(node.op)) {
      writer.refuse(node, 'has no state for steps that a window reaches back to', 'write it without explicit states');
    }
    if (node.op === 'recurrent') {
      writeRecurrent(writer, node, ports);
      continue;
    }
    const write = operations[node.op] ?? writer.refuse(node, 'has nothing like it');
    const value = node.outputs.y!;
    writer.bind(value, write(writer, node, value));
  }
  for (const port of graph.outputs) outputs.push(output(writer, port, open));
  const opset = writer.opset;
  const bytes = encodeMessage('Model', {
    irVersion: opset >= 21 ? irVersionOfInt4 : irVersion,
    producerName: 'gatefold',
    opsetImport: [{ domain: '', version: opset }, ...[...writer.domains].map((domain) => ({ domain, version: 1 }))],
    graph: {
      name: model.name || 'model',
      node: writer.nodes,
      initializer: writer.tensors,
      input: inputs,
      output: [...outputs, ...states],
    },
    metadataProps: Object.entries(model.metadata).map(([key, value]) => ({
      key,
      // What a reader would take for JSON stands as JSON.
      value: typeof value === 'string' && !looksLikeJson(value) ? value : JSON.stringify(value),
    })),
  });
  return { bytes };
}

const windowed = ['conv1d', 'pool'];

/** An output port shows its value under its own name. */
function output(writer: Writer, { name, value }: OutputPort, open: readonly Port[]): Draft<'ValueInfo'> {
  writer.nodes.push({
    input: [writer.tensorOf(value)],
    output: [name],
    name: writer.unique(`${name}/Identity`),
    opType: 'Identity',
  });
  const type = writer.analysis.values.get(value)!;
  const shape = portShape(writer.analysis, type);
  const own = open.length === 1 && writer.analysis.times[type.time]!.kind === 'port';
  return valueInfo(name, type.dtype === 'int32' ? 'int32' : 'float', dimsOf(shape, name, own));
}

/** States [1, batch, units] as `node.h` in and `node.h.next` out. */
function statePorts(writer: Writer, inputs: Draft<'ValueInfo'>[], outputs: Draft<'ValueInfo'>[]): StatePorts {
  return {
    input(node, state, units) {
      const name = writer.unique(`${node.name}.${state}`);
      inputs.push(valueInfo(name, 'float', [1, 'batch', units]));
      return name;
    },
    output(node, state, tensor) {
      const name = writer.unique(`${node.name}.${state}.next`);
      writer.nodes.push({
        input: [tensor],
        output: [name],
        name: writer.unique(`${name}/Identity`),
        opType: 'Identity',
      });
      outputs.push(valueInfo(name, 'float', [1, 'batch', Number(node.attributes.units)]));
    },
  };
}
