import { fail } from '@gatefold/runtime';
import type { KerasTensor } from './builder.ts';
import {
  type Call,
  isModelClass,
  type LayerConfig,
  type ModelConfig,
  modelConfig,
  type TensorRef,
  tensorsIn,
} from './config.ts';
import { type LayerContext, type NamedArguments, refuseLayer } from './layer.ts';
import { layerReaders } from './layers/index.ts';
import type { Supply } from './supply.ts';

type Environment = Pick<LayerContext, 'builder' | 'kerasMajor'>;

const key = ({ layer, call, output }: TensorRef) => JSON.stringify([layer, call, output]);

/** Adds the nodes of a layer's call, or of a model that stands as a layer. */
function readLayer(context: LayerContext, inputs: readonly KerasTensor[], named: NamedArguments): KerasTensor[] {
  const { layer, name } = context;
  if (isModelClass(layer.className)) {
    return readGraph(context, modelConfig(layer.source, name), name, inputs, context.supply);
  }
  const reader = Object.hasOwn(layerReaders, layer.className) ? layerReaders[layer.className] : undefined;
  if (reader) return reader(context, inputs, named);
  if (layer.className === 'Lambda') {
    return refuseLayer(
      context,
      'its function is Python code, which is not executed',
      'replace it by layers that exist, such as Rescaling, Activation or Reshape',
    );
  }
  return refuseLayer(
    context,
    `layers of class "${layer.className}" are not known`,
    `known: ${Object.keys(layerReaders).join(', ')}`,
  );
}

/**
 * Adds the nodes of a whole model, given its inputs; returns its outputs.
 * @throws MODEL_UNSUPPORTED naming the layer, FILE_CORRUPT where calls refer to nothing
 */
export function readGraph(
  environment: Environment,
  model: ModelConfig,
  prefix: string,
  inputs: readonly KerasTensor[],
  supply: Supply,
): KerasTensor[] {
  const supplies = supply.parts(model.layers);
  const contextOf = (index: number): LayerContext => {
    const layer = model.layers[index]!;
    const name = prefix === '' ? layer.name : `${prefix}/${layer.name}`;
    const own = { ...environment, layer, name, supply: supplies(index) };
    return { ...own, read: readLayer };
  };
  if (model.sequential) {
    let tensors = inputs;
    model.layers.forEach((layer, i) => {
      if (layer.className !== 'InputLayer') tensors = readLayer(contextOf(i), tensors, { tensors: {}, constants: [] });
    });
    return [...tensors];
  }
  const tensors = new Map<string, KerasTensor>();
  model.inputs.forEach((ref, i) => {
    const given =
      inputs[i] ?? fail('FILE_CORRUPT', 'a model is called with too few inputs', { place: prefix || model.name });
    tensors.set(key(ref), given);
  });
  // One context per layer: its supply must not start again for a second call.
  const contexts = model.layers.map((_, i) => contextOf(i));
  const first = lowestCalls(model);
  let pending = model.layers.flatMap((layer, index) =>
    layer.calls.map((call, number) => ({ layer, index, call, number })),
  );
  while (pending.length > 0) {
    const waiting: typeof pending = [];
    for (const item of pending) {
      const needed = [...item.call.inputs, ...namedTensors(item.call).flatMap(([, refs]) => refs)];
      if (!needed.every((ref) => tensors.has(key(ref)))) {
        waiting.push(item);
        continue;
      }
      const outputs = readLayer(
        contexts[item.index]!,
        resolve(item.call.inputs, tensors),
        argumentsOf(item.call, tensors),
      );
      const call = item.number + (first.get(item.layer.name) ?? 0);
      outputs.forEach((tensor, output) => tensors.set(key({ layer: item.layer.name, call, output }), tensor));
    }
    if (waiting.length === pending.length) {
      fail('FILE_CORRUPT', 'a layer is called with tensors that nothing makes', { place: waiting[0]!.layer.name });
    }
    pending = waiting;
  }
  return model.outputs.map(
    (ref) => tensors.get(key(ref)) ?? fail('FILE_CORRUPT', 'an output refers to nothing', { place: ref.layer }),
  );
}

/**
 * The number of the first call that others refer to. Some versions count the call that made a nested model, others do
 * not; every call that is written down is referred to.
 */
function lowestCalls({ layers, outputs }: ModelConfig): Map<string, number> {
  const models = new Set(layers.filter((layer) => isModelClass(layer.className)).map((layer) => layer.name));
  const lowest = new Map<string, number>();
  const calls = layers.flatMap((layer: LayerConfig) => layer.calls);
  for (const ref of [
    ...outputs,
    ...calls.flatMap((call) => [...call.inputs, ...namedTensors(call).flatMap(([, refs]) => refs)]),
  ]) {
    if (models.has(ref.layer))
      lowest.set(ref.layer, Math.min(ref.call, lowest.get(ref.layer) ?? Number.POSITIVE_INFINITY));
  }
  return lowest;
}

/** Only these carry tensors that matter at inference. */
function namedTensors({ named }: Call): [string, TensorRef[]][] {
  return ['initial_state', 'mask'].flatMap((name): [string, TensorRef[]][] => {
    const refs = tensorsIn(named[name]);
    return refs.length > 0 ? [[name, refs]] : [];
  });
}

function resolve(refs: readonly TensorRef[], tensors: ReadonlyMap<string, KerasTensor>): KerasTensor[] {
  return refs.map((ref) => tensors.get(key(ref))!);
}

function argumentsOf(call: Call, tensors: ReadonlyMap<string, KerasTensor>): NamedArguments {
  const named = Object.fromEntries(namedTensors(call).map(([name, refs]) => [name, resolve(refs, tensors)]));
  return { tensors: named, constants: call.constants };
}
