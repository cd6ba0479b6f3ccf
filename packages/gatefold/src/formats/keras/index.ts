import { fail, type Model, validate } from '@gatefold/runtime';
import { isZip, listZip } from '../../data/zip.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { isHdf5 } from '../hdf5/index.ts';
import { type KerasFile, openHdf5Model, openZip } from './container.ts';
import { readGraph } from './graph.ts';
import { inputPorts } from './inputs.ts';
import type { KerasTensor } from './tensor.ts';

export interface KerasOptions {
  /** The model's JSON (`model.to_json()`), for files that hold weights alone. */
  readonly architecture?: string;
  readonly name?: string;
}

/** Whether the bytes can be a Keras model: HDF5, or a zip with a Keras configuration. */
export function isKeras(bytes: Uint8Array): boolean {
  return isHdf5(bytes) || isKerasZip(bytes);
}

function isKerasZip(bytes: Uint8Array): boolean {
  return isZip(bytes) && listZip(bytes).has('config.json');
}

/**
 * Reads a model of Keras 2 or 3: `.h5`, `.keras` (some of which are HDF5), or weights beside their architecture.
 * @throws FILE_*, MODEL_UNSUPPORTED naming the layer, MODEL_NO_ARCHITECTURE, MODEL_SHAPE, MODEL_VALUE
 */
export async function readKeras(bytes: Uint8Array, { architecture, name }: KerasOptions = {}): Promise<Model> {
  if (isHdf5(bytes)) return build(openHdf5Model(bytes, architecture), name);
  if (isZip(bytes)) return build(openZip(bytes), name);
  return fail('FILE_FORMAT', 'not a Keras file', { expected: 'HDF5 (.h5) or a zip archive (.keras)' });
}

function build({ config, version, backend, container, source }: KerasFile, name: string | undefined): Model {
  const builder = new GraphBuilder();
  const ports = inputPorts(config);
  for (const port of ports) builder.addInput(port);
  const inputs = ports.map((port): KerasTensor => ({ value: port.name, ids: port.dtype === 'int32' }));
  const tensors = readGraph({ builder, version }, config, '', inputs, source.supply);
  source.checkUsed();
  const taken = new Set(ports.map((port) => port.name));
  const outputs = tensors.map(({ value }, i) => {
    const layer = config.sequential ? config.layers.at(-1)!.name : config.outputs[i]!.layer;
    let port = layer;
    for (let n = 1; taken.has(port); n++) port = `${layer}:${n}`;
    taken.add(port);
    return { name: port, value };
  });
  const graph = builder.graph(outputs);
  return validate({
    name: name ?? config.name,
    graphs: { main: graph },
    weights: builder.weightsOf(graph),
    metadata: {},
    origin: { format: 'keras', container, kerasVersion: version.text, ...(backend === undefined ? {} : { backend }) },
  });
}
