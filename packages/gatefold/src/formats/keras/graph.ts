import { fail } from '@gatefold/runtime';
import {
  type Call,
  isModelClass,
  type LayerConfig,
  type ModelConfig,
  modelConfig,
  type TensorRef,
  tensorsIn,
} from './config.ts';
import { type LayerContext, type NamedArguments, noArguments, refuseLayer } from './layer.ts';
import { layerReaders, operationReaders } from './layers/index.ts';
import { stepMask } from './layers/truth.ts';
import type { Supply } from './supply.ts';
import type { KerasTensor } from './tensor.ts';

type Environment = Pick<LayerContext, 'builder' | 'version' | 'isNew' | 'eachStep'>;

const key = ({ layer, call, output }: TensorRef) => `${call} ${output} ${layer}`;

/** Adds the nodes of a layer's call, or of a model that stands as a layer. */
function readLayer(context: LayerContext, inputs: readonly KerasTensor[], named: NamedArguments): KerasTensor[] {
  const { builder, layer, name } = context;
  builder.countCall(name);
  if (isModelClass(layer.className)) {
    const [given] = named.tensors.mask ?? [];
    const masked =
      given && inputs[0] ? [{ ...inputs[0], mask: stepMask(context, given, inputs[0]) }, ...inputs.slice(1)] : inputs;
    return readGraph(context, modelConfig(layer.source, name), name, masked, context.supply);
  }
  const readers = layer.isOperation ? operationReaders : layerReaders;
  const reader = Object.hasOwn(readers, layer.className) ? readers[layer.className]! : refuseUnknown(context);
  if (!layer.isOperation && inputs.some(({ truth }) => truth))
    refuseLayer(context, 'works on the result of a comparison');
  const readsIds = layer.className === 'Embedding' || layer.isOperation;
  return reader(context, readsIds ? inputs : inputs.map((tensor) => vectorOf(context, tensor)), named);
}

/** Ids as the vector that Keras sees in them. */
function vectorOf(context: LayerContext, tensor: KerasTensor): KerasTensor {
  if (!tensor.ids) return tensor;
  const { builder, name } = context;
  const steps = builder.steps(tensor.value) ?? refuseLayer(context, 'works on an open number of ids');
  return { value: builder.add('reshape', `${name}/vector`, { x: tensor.value }, { shape: [steps] }).y! };
}

function refuseUnknown(context: LayerContext): never {
  const { className } = context.layer;
  if (className.startsWith('custom ')) {
    return refuseLayer(context, 'its class is custom code, which is not executed', 'replace it by layers that exist');
  }
  if (className === 'Lambda') {
    const hint = 'replace it by layers that exist, such as Rescaling, Activation or Reshape';
    return refuseLayer(context, 'its function is Python code, which is not executed', hint);
  }
  if (className.endsWith('OpLambda') || context.layer.isOperation) {
    return refuseLayer(
      context,
      'this operation on tensors is not known',
      'write it as a layer: Add, Multiply, Rescaling, Reshape, …',
    );
  }
  return refuseLayer(
    context,
    `layers of class "${className}" are not known`,
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
  // One context per layer: its supply must not start again for a second call.
  const contexts = model.layers.map((layer, i): LayerContext => {
    const name = prefix === '' ? layer.name : `${prefix}/${layer.name}`;
    const { builder, version, isNew = false, eachStep = false } = environment;
    return { builder, version, isNew, eachStep, layer, name, supply: supplies(i), read: readLayer };
  });
  if (model.sequential) {
    let tensors = [...inputs];
    model.layers.forEach((layer, i) => {
      if (layer.className === 'InputLayer') return;
      if (tensors.length !== 1)
        refuseLayer(contexts[i]!, `stands in a Sequential after a layer with ${tensors.length} outputs`);
      tensors = readLayer(contexts[i]!, tensors, noArguments);
    });
    return tensors;
  }
  const tensors = new Map<string, KerasTensor>();
  model.inputs.forEach((ref, i) => {
    const given =
      inputs[i] ?? fail('FILE_CORRUPT', 'a model is called with too few inputs', { place: prefix || model.name });
    tensors.set(key(ref), given);
  });
  evaluate(model, contexts, tensors);
  return model.outputs.map(
    (ref) => tensors.get(key(ref)) ?? fail('FILE_CORRUPT', 'an output refers to nothing', { place: ref.layer }),
  );
}

interface Item {
  readonly context: LayerContext;
  readonly call: Call;
  /** The number by which others refer to the call. */
  readonly number: number;
  missing: number;
}

/** Reads every call of a functional model once all its tensors are there, in the order of the file where that suits. */
function evaluate(model: ModelConfig, contexts: readonly LayerContext[], tensors: Map<string, KerasTensor>): void {
  const first = lowestCalls(model);
  const waiting = new Map<string, Item[]>();
  const ready: Item[] = [];
  let left = 0;
  model.layers.forEach((layer, i) => {
    layer.calls.forEach((call, n) => {
      const item: Item = { context: contexts[i]!, call, number: n + (first.get(layer.name) ?? 0), missing: 0 };
      for (const ref of new Set(refsOf(call).map(key))) {
        if (tensors.has(ref)) continue;
        item.missing++;
        const others = waiting.get(ref);
        if (others) others.push(item);
        else waiting.set(ref, [item]);
      }
      left++;
      if (item.missing === 0) ready.push(item);
    });
  });
  for (let at = 0; at < ready.length; at++) {
    const { context, call, number } = ready[at]!;
    left--;
    const outputs = readLayer(context, resolve(call.inputs, tensors), argumentsOf(context, call, tensors));
    outputs.forEach((tensor, output) => {
      const ref = key({ layer: context.layer.name, call: number, output });
      if (tensors.has(ref)) fail('FILE_CORRUPT', 'two calls of a layer have the same number', { place: context.name });
      tensors.set(ref, tensor);
      for (const item of waiting.get(ref) ?? []) if (--item.missing === 0) ready.push(item);
    });
  }
  if (left > 0) {
    const [[, stuck]] = [...waiting].filter(([ref]) => !tensors.has(ref)) as [[string, Item[]]];
    fail('FILE_CORRUPT', 'a layer is called with tensors that nothing makes', { place: stuck[0]!.context.name });
  }
}

/**
 * The number of the first call that others refer to. Some versions count the call that made a nested model, others do
 * not; every call that is written down is referred to.
 */
function lowestCalls({ layers, outputs }: ModelConfig): Map<string, number> {
  const models = new Set(layers.filter(({ className }) => isModelClass(className)).map(({ name }) => name));
  const lowest = new Map<string, number>();
  const calls = layers.flatMap((layer: LayerConfig) => layer.calls);
  for (const { layer, call } of [...outputs, ...calls.flatMap(refsOf)]) {
    if (models.has(layer)) lowest.set(layer, Math.min(call, lowest.get(layer) ?? Number.POSITIVE_INFINITY));
  }
  return lowest;
}

/** Every tensor that a call needs. */
function refsOf(call: Call): TensorRef[] {
  return [...call.inputs, ...namedTensors(call).flatMap(([, refs]) => refs)];
}

function namedTensors({ named }: Call): [string, TensorRef[]][] {
  return Object.entries(named).flatMap(([name, value]): [string, TensorRef[]][] => {
    const refs = tensorsIn(value);
    return refs.length > 0 ? [[name, refs]] : [];
  });
}

function resolve(refs: readonly TensorRef[], tensors: ReadonlyMap<string, KerasTensor>): KerasTensor[] {
  return refs.map((ref) => tensors.get(key(ref))!);
}

/** The arguments of a call; refuses those that would change what the layer computes in an unknown way. */
function argumentsOf(context: LayerContext, call: Call, tensors: ReadonlyMap<string, KerasTensor>): NamedArguments {
  const named: Record<string, readonly KerasTensor[]> = {};
  for (const [name, refs] of namedTensors(call)) {
    if (name !== 'initial_state' && name !== 'mask') refuseLayer(context, `is called with "${name}"`);
    named[name] = resolve(refs, tensors);
  }
  if (call.named.training === true) {
    refuseLayer(
      context,
      'is called with training=True, so that it is random at inference too',
      'call it without training=True and save the model again',
    );
  }
  const operands = call.operands.map((operand) =>
    'tensor' in operand ? { tensor: tensors.get(key(operand.tensor))! } : operand,
  );
  return { tensors: named, operands };
}
