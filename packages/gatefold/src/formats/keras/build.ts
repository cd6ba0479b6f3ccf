import { type Model, validate } from '@gatefold/runtime';
import { fixSteps } from '../fix.ts';
import { GraphBuilder } from '../graph-builder.ts';
import type { ReadOptions } from '../types.ts';
import type { ModelConfig } from './config.ts';
import { readGraph } from './graph.ts';
import { inputPorts } from './inputs.ts';
import type { KerasTensor } from './tensor.ts';
import type { KerasVersion } from './version.ts';
import type { WeightSource } from './weight-source.ts';

/** A configuration and the weights that belong to it. */
export interface KerasSource {
  readonly config: ModelConfig;
  readonly version: KerasVersion;
  readonly source: WeightSource;
  /** The weights are yet to be learnt. */
  readonly isNew?: boolean;
  /** What Gatefold wrote beside them. */
  readonly metadata?: Model['metadata'];
}

/**
 * Builds the model that a configuration describes; `origin` says where it comes from.
 * @throws MODEL_*, FILE_UNUSED, FILE_CORRUPT, OPTION_INVALID for lengths to fix that it does not have
 */
export function buildModel(
  { config, version, source, isNew = false, metadata = {} }: KerasSource,
  origin: Readonly<Record<string, unknown>>,
  { name, fix }: Pick<ReadOptions, 'name' | 'fix'>,
): Model {
  const builder = new GraphBuilder();
  const ports = fixSteps(inputPorts(config), fix);
  for (const port of ports) builder.addInput(port);
  const inputs = ports.map((port): KerasTensor => ({ value: port.name, ids: port.dtype === 'int32' }));
  const tensors = readGraph({ builder, version, isNew }, config, '', inputs, source.supply);
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
    metadata,
    origin: { ...origin, kerasVersion: version.text },
  });
}
