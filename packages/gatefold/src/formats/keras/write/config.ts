import { tensorsOf } from './order.ts';
import type { Dialect, LayerCall, LayerTensor, WrittenLayer, WrittenLayers } from './types.ts';

type Json = Record<string, unknown>;

/** The configuration of a model: Sequential where its layers are a chain, else functional. */
export function modelJson({ name, layers, inputs, outputs }: WrittenLayers, dialect: Dialect): Json {
  const three = dialect === 'keras3';
  if (isChain(layers, inputs, outputs)) {
    const chain = { name, trainable: true, layers: layers.map((layer) => layerJson(layer, dialect)) };
    return three
      ? { module: 'keras', class_name: 'Sequential', config: { ...chain, dtype: 'float32' }, registered_name: null }
      : { class_name: 'Sequential', config: chain };
  }
  const config = {
    name,
    trainable: true,
    layers: layers.map((layer) => ({
      ...layerJson(layer, dialect),
      name: layer.name,
      inbound_nodes:
        layer.className === 'InputLayer'
          ? []
          : layer.calls.map((call) => (three ? keras3Call(call, layer.operation !== undefined) : keras2Call(call))),
    })),
    input_layers: inputs.map(reference),
    output_layers: outputs.map(reference),
  };
  return three
    ? { module: 'keras.src.models.functional', class_name: 'Functional', config, registered_name: 'Functional' }
    : // The first TensorFlow.js knows models by their older name.
      { class_name: dialect === 'tfjs' ? 'Model' : 'Functional', config };
}

function isChain(
  layers: readonly WrittenLayer[],
  inputs: readonly LayerTensor[],
  outputs: readonly LayerTensor[],
): boolean {
  const last = outputs[0];
  if (inputs.length !== 1 || outputs.length !== 1 || layers.length < 2) return false;
  if (last!.layer !== layers.at(-1) || last!.output !== 0) return false;
  return layers.every(({ calls, operation }, i) => {
    if (calls.length !== 1 || operation !== undefined) return false;
    const given = tensorsOf(calls[0]!);
    if (i === 0) return given.length === 0;
    return given.length === 1 && given[0]!.layer === layers[i - 1] && given[0]!.output === 0;
  });
}

function layerJson({ className, name, config, inner, operation }: WrittenLayer, dialect: Dialect): Json {
  const isInput = className === 'InputLayer';
  const common = operation ? { name } : isInput ? { name } : { name, trainable: true, dtype: 'float32' };
  const wrapped = inner && {
    layer: typed(
      inner.className,
      { name: inner.name, trainable: true, dtype: 'float32', ...inner.config },
      // Keras 2.15 as well names the module here, and Keras 3 looks for it.
      dialect === 'tfjs' ? 'tfjs' : 'keras3',
    ),
  };
  return typed(className, { ...common, ...wrapped, ...config }, dialect, operation);
}

/** A class and its configuration; Keras 3 wants to know the module. */
function typed(className: string, config: Json, dialect: Dialect, operation?: string): Json {
  if (dialect !== 'keras3') return { class_name: className, config };
  return operation
    ? { module: operation, class_name: className, config, registered_name: className }
    : { module: 'keras.layers', class_name: className, config, registered_name: null };
}

function reference({ layer, call, output }: LayerTensor): [string, number, number] {
  return [layer.name, call, output];
}

function keras2Call(call: LayerCall): unknown[] {
  return tensorsOf(call).map((tensor) => [...reference(tensor), {}]);
}

function keras3Call({ inputs, states, mask, constants }: LayerCall, isOperation: boolean): Json {
  const tensor = (one: LayerTensor) => ({
    class_name: '__keras_tensor__',
    // Keras 3 wants a shape, and looks at the reference alone.
    config: { shape: [null], dtype: 'float32', keras_history: reference(one) },
  });
  const tensors = inputs.map(tensor);
  return {
    // Layers that merge take one list.
    args: [...(inputs.length > 1 && !isOperation ? [tensors] : tensors), ...constants],
    kwargs: {
      ...(states.length > 0 ? { initial_state: states.map(tensor) } : {}),
      ...(mask ? { mask: tensor(mask) } : {}),
    },
  };
}
