import { fail, type Model, validate } from '@gatefold/runtime';
import type { Format, ReadOptions } from '../types.ts';
import { readGraph } from './graph/read-graph.ts';
import { countUses, graphsOf, readTensors, refuseUnused } from './graph/tensors.ts';
import { metadataOf } from './metadata.ts';
import { readParts } from './parts/read.ts';
import { writeParts } from './parts/write.ts';
import { recognise } from './patterns/index.ts';
import { decodeMessage, looksLikeModel } from './proto/decode.ts';
import { writeOnnx } from './write/index.ts';

/** Operator sets whose ops are known. */
const opsets = { first: 9, last: 22 };

/**
 * Reads an ONNX model. Its values become [batch, time, features] whatever the order in the file; states that go from an
 * output back to an input become the cells' own.
 * @throws FILE_*, MODEL_UNSUPPORTED naming the op and the node, MODEL_SHAPE, MODEL_VALUE, OPTION_INVALID
 */
async function readOnnx(bytes: Uint8Array, options: ReadOptions = {}): Promise<{ model: Model; version: string }> {
  const file = decodeMessage('Model', bytes);
  const { graph } = file;
  if (!graph) fail('FILE_CORRUPT', 'the file holds no graph');
  const opset = file.opsetImport.find(({ domain }) => !domain || domain === 'ai.onnx')?.version ?? 1;
  if (opset < opsets.first || opset > opsets.last) {
    fail('FILE_VERSION', 'an operator set that is not read', {
      expected: `opset ${opsets.first} to ${opsets.last}`,
      found: `opset ${opset}`,
      hint: 'convert it with onnx.version_converter',
    });
  }
  const graphs = graphsOf(graph);
  if (file.functions.length > 0 || graphs.some(({ sparseInitializer }) => sparseInitializer.length > 0)) {
    fail('MODEL_UNSUPPORTED', 'functions of its own, or sparse initializers', {
      hint: 'inline functions when exporting',
    });
  }
  const uses = countUses(graphs);
  const tensors = await readTensors(graphs, options.beside);
  const read = readGraph({ ...recognise(graph, tensors), opset, uses }, options);
  // What the graph means comes first: a refusal should name what matters most.
  refuseUnused(graphs, uses);
  const model = validate({
    name: options.name ?? graph.name ?? 'model',
    graphs: { main: read.graph },
    weights: read.weights,
    metadata: metadataOf(file),
    origin: {
      format: 'onnx',
      opset,
      producer: [file.producerName, file.producerVersion].filter(Boolean).join(' '),
      ports: read.ports,
      ...(read.states.length > 0 ? { states: read.states } : {}),
      ...(read.lifted ? { step: true } : {}),
    },
  });
  return { model, version: `opset ${opset}` };
}

export const onnx: Format = {
  name: 'onnx',
  title: 'an ONNX model (.onnx)',
  extensions: ['onnx'],
  cellBounds: ['clip'],
  fixes: true,
  is: looksLikeModel,
  read: readOnnx,
  readParts,
  write: (model, options) => (model.origin?.parts === true ? writeParts : writeOnnx)(model, options),
};
