import { sizeOf } from '@gatefold/runtime';
import { isModelClass, type LayerConfig, layerConfig, modelConfig } from '../config.ts';
import { configOf, type LayerContext, type LayerReader, noArguments, only, refuseLayer } from '../layer.ts';

/** Layers that treat every row of features alone, so that wrapping them changes nothing. */
const rowwise = new Set([
  'Dense',
  'Activation',
  'ReLU',
  'LeakyReLU',
  'ELU',
  'ThresholdedReLU',
  'PReLU',
  'Softmax',
  'Dropout',
  'GaussianDropout',
  'GaussianNoise',
  'AlphaDropout',
  'ActivityRegularization',
  'Identity',
  'BatchNormalization',
  'LayerNormalization',
  'RMSNormalization',
  'UnitNormalization',
  'Rescaling',
  'Normalization',
  'InputLayer',
]);

function isRowwise(layer: LayerConfig, place: string): boolean {
  if (!isModelClass(layer.className)) return rowwise.has(layer.className);
  return modelConfig(layer.source, place).layers.every((inner) => isRowwise(inner, place));
}

/** Reshapes the features of every step. */
function reshapeSteps(context: LayerContext, value: string, inner: LayerConfig): string {
  const { builder, name } = context;
  const size = sizeOf(builder.type(value).shape);
  const target = inner.className === 'Flatten' ? [size] : inner.config.target_shape;
  if (!Array.isArray(target) || !target.every((n) => Number.isInteger(n)))
    return refuseLayer(context, 'a reshape without a target shape');
  const known = (target as number[]).filter((n) => n > 0).reduce((a, b) => a * b, 1);
  const shape = (target as number[]).map((n) => (n > 0 ? n : size / known));
  return builder.add('reshape', name, { x: value }, { shape, keepTime: true }).y!;
}

/** Applies a layer to every step. */
export const timeDistributed: LayerReader = (context, inputs) => {
  const inner = layerConfig(configOf(context.layer.config.layer, context, 'layer'), `${context.name}.layer`);
  const x = only(context, inputs);
  if (inner.className === 'Flatten' || inner.className === 'Reshape') {
    return [{ value: reshapeSteps(context, x.value, inner), mask: x.mask }];
  }
  if (!isRowwise(inner, context.name)) {
    return refuseLayer(
      context,
      `applies ${inner.className} to every step`,
      'only layers without time of their own can be wrapped',
    );
  }
  if (!context.builder.isSequence(x.value)) refuseLayer(context, 'is applied to something that has no steps');
  const within = { ...context, layer: inner, supply: context.supply.part('layer'), eachStep: true };
  const [y, ...rest] = context.read(within, [{ value: x.value }], noArguments);
  if (!y || rest.length > 0) return refuseLayer(context, 'wraps a layer of several outputs');
  return [{ value: y.value, mask: x.mask }];
};
