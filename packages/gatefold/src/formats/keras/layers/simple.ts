import type { Activation } from '@gatefold/runtime';
import { activationAttribute } from '../../graph-builder.ts';
import { applyActivation, layerActivation } from '../activations.ts';
import { channelsLast, flagIn, type LayerContext, type LayerReader, numberIn, only, refuseLayer } from '../layer.ts';
import type { KerasTensor } from '../tensor.ts';
import { windowOf } from './dense.ts';
import { checkAxis, overSteps } from './normalization.ts';
import { differs, stepMask } from './truth.ts';

/** Does nothing at inference. */
const identity: LayerReader = (context, inputs) => [only(context, inputs)];

function unary(context: LayerContext, x: KerasTensor, activation: Activation): KerasTensor[] {
  const { builder, name } = context;
  return [
    { ...x, value: builder.add('unary', name, { x: x.value }, { function: activationAttribute(activation) }).y! },
  ];
}

const activation: LayerReader = (context, inputs) => [
  applyActivation(context, only(context, inputs), context.layer.config.activation, ''),
];

/** A layer that is an element-wise function. */
const elementwise: LayerReader = (context, inputs) => {
  const f =
    layerActivation(context.layer.className, context.layer.config) ??
    refuseLayer(context, 'its options are no numbers');
  return unary(context, only(context, inputs), f);
};

const softmax: LayerReader = (context, inputs, { tensors }) => {
  const x = only(context, inputs);
  checkAxis(context, x);
  if (!context.eachStep && (x.mask !== undefined || tensors.mask)) refuseLayer(context, 'softmax over masked values');
  return [{ value: context.builder.add('softmax', context.name, { x: x.value }).y! }];
};

const prelu: LayerReader = (context, inputs) => {
  const { builder, name, supply, layer } = context;
  const x = only(context, inputs);
  const width = builder.type(x.value).shape.at(-1)!;
  const steps = builder.steps(x.value);
  const slope = builder.weight(`${name}/slope`, () => {
    const shared = Array.isArray(layer.config.shared_axes) && layer.config.shared_axes.includes(1);
    const { shape, data } = supply.take(shared || steps === undefined ? [width] : [steps, width], 'alpha');
    if (shape.at(-1) !== width) refuseLayer(context, 'its features share a slope', 'use PReLU(shared_axes=[1])');
    return { shape: [data.length], data };
  });
  const slopes = builder.weights[slope]!.shape[0]!;
  if (slopes === width) return [{ ...x, value: builder.add('prelu', name, { x: x.value }, {}, { slope }).y! }];
  // A slope of its own for every step: the steps are laid side by side for it.
  if (steps === undefined || slopes !== steps * width || context.eachStep) {
    return refuseLayer(context, 'its slopes do not fit', 'use PReLU(shared_axes=[1])');
  }
  const flat = builder.add('reshape', `${name}/flat`, { x: x.value }, { shape: [slopes] }).y!;
  const y = builder.add('prelu', name, { x: flat }, {}, { slope }).y!;
  return [{ ...x, value: builder.add('reshape', `${name}/steps`, { x: y }, { shape: [steps, width], time: true }).y! }];
};

const masking: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  const x = only(context, inputs);
  const mask = differs(context, x.value, numberIn(context, 'mask_value', 0));
  return [{ value: builder.add('applyMask', name, { x: x.value, mask }).y!, mask }];
};

function pool(fn: 'max' | 'mean'): LayerReader {
  return (context, inputs) => {
    const { builder, name } = context;
    const x = only(context, inputs);
    const { size, stride, padding } = windowOf(context, x.value, 'pool_size');
    return [{ value: builder.add('pool', name, { x: x.value }, { function: fn, size, stride, padding }).y! }];
  };
}

function globalPool(fn: 'max' | 'mean'): LayerReader {
  return (context, inputs, { tensors }) => {
    const { builder, name } = context;
    const x = only(context, inputs);
    channelsLast(context);
    const [given] = tensors.mask ?? [];
    const mask = given ? stepMask(context, given, x) : x.mask;
    const masked = fn === 'mean' && mask !== undefined ? { mask } : {};
    const value = builder.add('reduceTime', name, { x: x.value, ...masked }, { function: fn }).y!;
    return [
      {
        value: flagIn(context, 'keepdims')
          ? builder.add('repeat', `${name}/keep`, { x: value }, { times: 1 }).y!
          : value,
      },
    ];
  };
}

const identities = [
  'Dropout',
  'SpatialDropout1D',
  'GaussianDropout',
  'GaussianNoise',
  'AlphaDropout',
  'ActivityRegularization',
];

export const simpleLayers: Readonly<Record<string, LayerReader>> = {
  ...Object.fromEntries(identities.map((name) => [name, identity])),
  // Keras 2 loses the mask here.
  Identity: (context, inputs) => [
    context.version.major >= 3 ? only(context, inputs) : { value: only(context, inputs).value },
  ],
  Activation: activation,
  ReLU: elementwise,
  LeakyReLU: elementwise,
  ELU: elementwise,
  ThresholdedReLU: elementwise,
  PReLU: prelu,
  Softmax: overSteps(softmax),
  Masking: masking,
  MaxPooling1D: pool('max'),
  MaxPool1D: pool('max'),
  AveragePooling1D: pool('mean'),
  AvgPool1D: pool('mean'),
  GlobalMaxPooling1D: globalPool('max'),
  GlobalMaxPool1D: globalPool('max'),
  GlobalAveragePooling1D: globalPool('mean'),
  GlobalAvgPool1D: globalPool('mean'),
};
