import { sizeOf } from '@gatefold/runtime';
import { stepsHint } from '../../fix.ts';
import { applyActivation } from '../activations.ts';
import { show } from '../json.ts';
import {
  channelsLast,
  flagIn,
  type LayerContext,
  type LayerReader,
  numberIn,
  only,
  refuseLayer,
  single,
  takeWeight,
  transposed,
} from '../layer.ts';
import { differs } from './truth.ts';

/** A bias of the layer where it has one; the order of calls is the order of the file. */
function biasWeight(context: LayerContext, units: number): Record<string, string> {
  const { builder, name } = context;
  if (!flagIn(context, 'use_bias', true)) return {};
  return {
    bias: builder.weight(`${name}/bias`, () => takeWeight(context, [units], 'bias')),
  };
}

const dense: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const x = only(context, inputs);
  const units = single(context, 'units', layer.config.output_dim as number | undefined);
  const width = sizeOf(builder.type(x.value).shape.slice(-1));
  const kernel = builder.weight(`${name}/kernel`, () => transposed(takeWeight(context, [width, units], 'kernel')));
  const y = builder.add('dense', name, { x: x.value }, {}, { kernel, ...biasWeight(context, units) }).y!;
  return [applyActivation(context, { value: y, mask: x.mask }, layer.config.activation)];
};

const embedding: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  const x = only(context, inputs);
  const table = builder.weight(`${name}/table`, () =>
    takeWeight(context, [single(context, 'input_dim'), single(context, 'output_dim')], 'embeddings'),
  );
  const y = builder.add('embedding', name, { x: x.value }, {}, { table }).y!;
  if (!flagIn(context, 'mask_zero')) return [{ value: y }];
  return [{ value: y, mask: differs(context, x.value, 0) }];
};

interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
}

/** Window options of convolutions and pools; `same` splits its padding as TensorFlow does, the larger half right. */
export function windowOf(context: LayerContext, value: string, sizeKey: string): Window {
  const { layer, builder } = context;
  channelsLast(context);
  const size = single(context, sizeKey);
  const strides = layer.config.strides ?? (sizeKey === 'pool_size' ? size : 1);
  const stride = Array.isArray(strides) ? Number(strides[0]) : Number(strides);
  const dilation = single(context, 'dilation_rate', 1);
  const reach = (size - 1) * dilation + 1;
  const mode = layer.config.padding ?? 'valid';
  if (mode === 'valid') return { size, stride, dilation, padding: [0, 0] };
  if (mode === 'causal') return { size, stride, dilation, padding: [reach - 1, 0] };
  if (mode !== 'same') refuseLayer(context, `padding ${show(mode)}`);
  const steps = builder.steps(value);
  if (steps === undefined && stride > 1) {
    refuseLayer(context, 'padding "same" with strides depends on the number of steps', stepsHint);
  }
  const total = steps === undefined ? reach - 1 : Math.max(0, (Math.ceil(steps / stride) - 1) * stride + reach - steps);
  const left = Math.floor(total / 2);
  return { size, stride, dilation, padding: [left, total - left] };
}

/** Keras' [size, inputs/groups, outputs] as [outputs, size·inputs/groups]. */
function convolutionKernel({ shape, data }: { shape: readonly number[]; data: Float32Array }): {
  shape: number[];
  data: Float32Array;
} {
  return transposed({ shape: [shape[0]! * shape[1]!, shape[2]!], data });
}

const conv1d: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const x = only(context, inputs);
  const features = sizeOf(builder.type(x.value).shape);
  const filters = single(context, 'filters');
  const groups = numberIn(context, 'groups', 1);
  const window = windowOf(context, x.value, 'kernel_size');
  const kernel = builder.weight(`${name}/kernel`, () =>
    convolutionKernel(takeWeight(context, [window.size, features / groups, filters], 'kernel')),
  );
  const attributes = { ...window, groups };
  const y = builder.add('conv1d', name, { x: x.value }, attributes, { kernel, ...biasWeight(context, filters) }).y!;
  return [applyActivation(context, { value: y }, layer.config.activation)];
};

/** [size, inputs, multiplier] as one group per input: output i·multiplier + m reads input i. */
function depthwiseKernel(context: LayerContext, features: number, size: number, multiplier: number): string {
  const { builder, name } = context;
  return builder.weight(`${name}/depthwise`, () => {
    // Keras 3 calls a lone depthwise kernel plainly `kernel` in its HDF5 files.
    const { data } = takeWeight(context, [size, features, multiplier], 'depthwise_kernel', 'kernel');
    return transposed({ shape: [size, features * multiplier], data });
  });
}

const depthwiseConv1d: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const x = only(context, inputs);
  const features = sizeOf(builder.type(x.value).shape);
  const multiplier = numberIn(context, 'depth_multiplier', 1);
  const window = windowOf(context, x.value, 'kernel_size');
  const kernel = depthwiseKernel(context, features, window.size, multiplier);
  const bias = biasWeight(context, features * multiplier);
  const y = builder.add('conv1d', name, { x: x.value }, { ...window, groups: features }, { kernel, ...bias }).y!;
  return [applyActivation(context, { value: y }, layer.config.activation)];
};

const separableConv1d: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const x = only(context, inputs);
  const features = sizeOf(builder.type(x.value).shape);
  const multiplier = numberIn(context, 'depth_multiplier', 1);
  const filters = single(context, 'filters');
  const window = windowOf(context, x.value, 'kernel_size');
  const depthwise = depthwiseKernel(context, features, window.size, multiplier);
  const kernel = builder.weight(`${name}/kernel`, () =>
    convolutionKernel(takeWeight(context, [1, features * multiplier, filters], 'pointwise_kernel')),
  );
  const bias = biasWeight(context, filters);
  const inner = builder.add(
    'conv1d',
    `${name}/depthwise`,
    { x: x.value },
    { ...window, groups: features },
    { kernel: depthwise },
  ).y!;
  const y = builder.add('dense', name, { x: inner }, {}, { kernel, ...bias }).y!;
  return [applyActivation(context, { value: y }, layer.config.activation)];
};

export const denseLayers: Readonly<Record<string, LayerReader>> = {
  Dense: dense,
  Embedding: embedding,
  Conv1D: conv1d,
  Convolution1D: conv1d,
  DepthwiseConv1D: depthwiseConv1d,
  SeparableConv1D: separableConv1d,
  SeparableConvolution1D: separableConv1d,
};
