import { type Dim, fail, type Port } from '@gatefold/runtime';
import { isModelClass, type LayerConfig, type ModelConfig, modelConfig } from './config.ts';
import { show } from './json.ts';

/** Whether a model looks the values of its input up in an embedding: then they are ids, one per step. */
function feedsEmbedding(model: ModelConfig, input: number): boolean {
  const readsIds = (layer: LayerConfig, position: number): boolean => {
    // Keras 3 writes the mask of an embedding as an operation of its own.
    if (layer.className === 'Embedding' || (layer.isOperation && layer.className === 'NotEqual')) return true;
    return isModelClass(layer.className) && feedsEmbedding(modelConfig(layer.source, layer.name), position);
  };
  if (model.sequential) {
    const first = model.layers.find((layer) => layer.className !== 'InputLayer');
    return first !== undefined && readsIds(first, 0);
  }
  const name = model.inputs[input]?.layer;
  return model.layers.some((layer) =>
    layer.calls.some((call) => {
      const position = call.inputs.findIndex((ref) => ref.layer === name);
      return position >= 0 && readsIds(layer, position);
    }),
  );
}

/** The shapes, batch first, that a Sequential's first layer or the model itself carries. */
function impliedShape(model: ModelConfig): unknown {
  const first = model.layers[0]!;
  const { config, source, className } = first;
  const build = source.build_config as Record<string, unknown> | undefined;
  const inner = isModelClass(className) ? inputShapes(modelConfig(source, first.name))[0]?.shape : undefined;
  const length = config.input_length;
  const ids = className === 'Embedding' ? [null, typeof length === 'number' ? length : null] : undefined;
  return config.batch_input_shape ?? config.batch_shape ?? inner ?? model.buildShape ?? build?.input_shape ?? ids;
}

/** Name and shape of every input. */
function inputShapes(model: ModelConfig): { name: string; shape: unknown }[] {
  const shapeIn = (layer: LayerConfig) => layer.config.batch_shape ?? layer.config.batch_input_shape;
  if (!model.sequential) {
    return model.inputs.map(({ layer: name }) => {
      const layer = model.layers.find((candidate) => candidate.name === name);
      return { name, shape: layer && shapeIn(layer) };
    });
  }
  const first = model.layers[0]!;
  if (first.className === 'InputLayer') return [{ name: first.name, shape: shapeIn(first) }];
  return [{ name: `${first.name}_input`, shape: impliedShape(model) }];
}

/**
 * The input ports of a model. The first dimension after the batch is time where there are several, or where the input
 * holds ids.
 * @throws MODEL_UNSUPPORTED for unknown or unusual shapes
 */
export function inputPorts(model: ModelConfig): Port[] {
  return inputShapes(model).map(({ name, shape }, i) => {
    if (!Array.isArray(shape) || shape.length < 2 || !shape.slice(1).every((n) => n === null || Number.isInteger(n))) {
      return fail('MODEL_UNSUPPORTED', `the shape of input "${name}" is not known`, {
        place: name,
        found: show(shape),
        hint: 'add keras.Input(shape) as the first layer, or call the model once, and save it again',
      });
    }
    const dims = shape.slice(1) as (number | null)[];
    const ids = dims.length === 1 && feedsEmbedding(model, i);
    if (dims.slice(1).includes(null) || (dims.length === 1 && dims[0] === null && !ids)) {
      fail('MODEL_UNSUPPORTED', `input "${name}" leaves a number of features open`, {
        place: name,
        found: show(shape),
      });
    }
    const time: Dim = dims[0] ?? 'time';
    // A fixed number of ids needs a second dimension to be told from as many features.
    const rest = ids && typeof time === 'number' ? [1] : (dims.slice(1) as number[]);
    return { name, shape: ['batch', time, ...rest], dtype: ids ? 'int32' : 'float32' };
  });
}
