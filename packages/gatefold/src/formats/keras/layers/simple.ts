import type { Activation } from '@gatefold/runtime';
import { applyActivation } from '../activations.ts';
import { activationAttribute, type KerasTensor } from '../builder.ts';
import { flagIn, type LayerContext, type LayerReader, numberIn, only, refuseLayer } from '../layer.ts';
import { windowOf } from './dense.ts';
import { overSteps } from './normalization.ts';

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

/** Keras writes some numbers as {value: …}. */
function optionNumber(context: LayerContext, keys: readonly string[], otherwise: number): number {
  for (const key of keys) {
    const value = context.layer.config[key];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (typeof value === 'object' && value !== null && 'value' in value && typeof value.value === 'number')
      return value.value;
    if (value !== undefined && value !== null) refuseLayer(context, `option "${key}" is no number`);
  }
  return otherwise;
}

const relu: LayerReader = (context, inputs) =>
  unary(context, only(context, inputs), [
    'relu',
    optionNumber(context, ['negative_slope'], 0),
    optionNumber(context, ['max_value'], Number.POSITIVE_INFINITY),
    optionNumber(context, ['threshold'], 0),
  ]);

const leakyRelu: LayerReader = (context, inputs) =>
  unary(context, only(context, inputs), [
    'relu',
    optionNumber(context, ['negative_slope', 'alpha'], 0.3),
    Number.POSITIVE_INFINITY,
    0,
  ]);

const elu: LayerReader = (context, inputs) =>
  unary(context, only(context, inputs), ['elu', optionNumber(context, ['alpha'], 1)]);

const thresholdedRelu: LayerReader = (context, inputs) =>
  unary(context, only(context, inputs), ['relu', 0, Number.POSITIVE_INFINITY, optionNumber(context, ['theta'], 1)]);

const softmax: LayerReader = (context, inputs) => {
  const x = only(context, inputs);
  const axis = context.layer.config.axis ?? -1;
  const rank = 1 + (context.builder.isSequence(x.value) ? 1 : 0) + context.builder.type(x.value).shape.length;
  if (axis !== -1 && axis !== rank - 1)
    refuseLayer(context, `softmax over axis ${JSON.stringify(axis)}`, 'apply it to the last axis');
  if (x.mask !== undefined) refuseLayer(context, 'softmax over masked values');
  return [{ value: context.builder.add('softmax', context.name, { x: x.value }).y! }];
};

const prelu: LayerReader = (context, inputs) => {
  const { builder, name, supply } = context;
  const x = only(context, inputs);
  const width = builder.type(x.value).shape.at(-1)!;
  const slope = builder.weight(`${name}/slope`, () => {
    const { data } = supply.take('alpha');
    return { shape: [data.length], data };
  });
  const slopes = builder.weights[slope]!.shape[0]!;
  if (slopes === width) return [{ ...x, value: builder.add('prelu', name, { x: x.value }, {}, { slope }).y! }];
  // A slope of its own for every step: the steps are laid side by side for it.
  const steps = builder.steps(x.value);
  if (steps === undefined || slopes !== steps * width)
    return refuseLayer(context, 'its slopes do not fit', 'use PReLU(shared_axes=[1])');
  const flat = builder.add('reshape', `${name}/flat`, { x: x.value }, { shape: [slopes] }).y!;
  const y = builder.add('prelu', name, { x: flat }, {}, { slope }).y!;
  return [{ ...x, value: builder.add('reshape', `${name}/steps`, { x: y }, { shape: [steps, width], time: true }).y! }];
};

const masking: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  const x = only(context, inputs);
  const mask = builder.add('mask', `${name}/mask`, { x: x.value }, { value: numberIn(context, 'mask_value', 0) }).y!;
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
  return (context, inputs) => {
    const { builder, name } = context;
    const x = only(context, inputs);
    const mask = fn === 'mean' && x.mask !== undefined ? { mask: x.mask } : {};
    const value = builder.add('reduceTime', name, { x: x.value, ...mask }, { function: fn }).y!;
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
  'Identity',
];

export const simpleLayers: Readonly<Record<string, LayerReader>> = {
  ...Object.fromEntries(identities.map((name) => [name, identity])),
  Activation: activation,
  ReLU: relu,
  LeakyReLU: leakyRelu,
  ELU: elu,
  ThresholdedReLU: thresholdedRelu,
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
