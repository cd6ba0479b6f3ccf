import type { Node } from '@gatefold/runtime';
import { transposed } from '../layer.ts';
import { activationName, functionOf } from './activations.ts';
import { type Emitter, sharingKey } from './emitter.ts';
import type { LayerTensor, LayerWeight, WeightValues } from './types.ts';

type Maker = (e: Emitter, node: Node) => void;

/** A weight of a layer, where the node has it. */
export function layerWeight(
  name: string,
  stored: WeightValues | undefined,
  within: readonly string[] = [],
): LayerWeight[] {
  return stored ? [{ ...stored, within, name }] : [];
}

/** Adds a layer that has an activation of its own: the function that alone follows it, where Keras has a name for it. */
function addActivated(e: Emitter, node: Node, make: (activation: string) => LayerTensor): void {
  const y = node.outputs.y!;
  const next = e.onlyUser(y);
  const name =
    next?.op === 'softmax' ? 'softmax' : next?.op === 'unary' ? activationName(functionOf(next), e.dialect) : undefined;
  e.later(y, () => make('linear'));
  if (next && name !== undefined) e.later(next.outputs.y!, () => make(name));
}

const dense: Maker = (e, node) => {
  const x = node.inputs.x!;
  addActivated(e, node, (activation) => {
    const own = e.weight(node, 'kernel')!;
    const kernel = { ...transposed(own), grid: own.grid };
    const bias = e.weight(node, 'bias');
    const config = { units: kernel.shape[1], activation, use_bias: bias !== undefined };
    const weights = [...layerWeight('kernel', kernel), ...layerWeight('bias', bias)];
    const input = e.carrying(x);
    return { ...e.add('Dense', node.name, config, [input], { weights, key: sharingKey(node) }), mask: input.mask };
  });
};

const embedding: Maker = (e, node) => {
  const x = node.inputs.x!;
  // The mask of the ids, where the graph has one, travels with what is looked up.
  const mask = e.usersOf(x).find((user) => user.op === 'mask' && user.attributes.value === 0)?.outputs.y;
  e.later(node.outputs.y!, () => {
    const table = e.weight(node, 'table')!;
    const [size, width] = table.shape;
    const config = { input_dim: size, output_dim: width, mask_zero: mask !== undefined };
    const weights = layerWeight('embeddings', table);
    return { ...e.add('Embedding', node.name, config, [e.carrying(x)], { weights, key: sharingKey(node) }), mask };
  });
};

/** Windows that no padding option of Keras describes are padded before. */
function padded(e: Emitter, node: Node, x: string, [left, right]: readonly [number, number]): LayerTensor {
  const input = e.plain(x);
  if (left === 0 && right === 0) return input;
  if (e.dialect === 'tfjs') e.refuse(node, 'it pads the sequence on one side');
  return e.add('ZeroPadding1D', `${node.name}/padded`, { padding: [left, right] }, [input]);
}

interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
  readonly reach: number;
}

function windowOf({ attributes }: Node): Window {
  const number = (key: string) => Number(attributes[key] ?? 1);
  const [size, dilation] = [number('size'), number('dilation')];
  const padding = (attributes.padding ?? [0, 0]) as [number, number];
  return { size, stride: number('stride'), dilation, padding, reach: (size - 1) * dilation + 1 };
}

/** Whether the padding is that of `same`: as TensorFlow splits it, the larger half right. */
function isSame(e: Emitter, x: string, { padding, stride, reach }: Window): boolean {
  const steps = e.steps(x);
  if (steps === undefined && stride > 1) return false;
  const total = steps === undefined ? reach - 1 : Math.max(0, (Math.ceil(steps / stride) - 1) * stride + reach - steps);
  return padding[0] === Math.floor(total / 2) && padding[1] === total - padding[0];
}

const conv1d: Maker = (e, node) => {
  const x = node.inputs.x!;
  const window = windowOf(node);
  const { size, stride, dilation, padding, reach } = window;
  const groups = Number(node.attributes.groups ?? 1);
  const features = e.width(x);
  addActivated(e, node, (activation) => {
    const stored = e.weight(node, 'kernel')!;
    const { grid } = stored;
    const [rows, columns] = stored.shape as [number, number];
    const bias = e.weight(node, 'bias');
    const depthwise = groups === features && features > 1;
    if (groups > 1 && e.dialect === 'tfjs') e.refuse(node, 'it has no convolution in groups over time');
    const isValid = padding[0] === 0 && padding[1] === 0;
    const isCausal = !depthwise && padding[0] === reach - 1 && padding[1] === 0 && e.dialect !== 'tfjs';
    const mode = isValid ? 'valid' : isCausal ? 'causal' : isSame(e, x, window) ? 'same' : undefined;
    const input = mode === undefined ? padded(e, node, x, padding) : e.plain(x);
    const common = {
      kernel_size: [size],
      strides: [stride],
      padding: mode ?? 'valid',
      data_format: 'channels_last',
      dilation_rate: [dilation],
      activation,
      use_bias: bias !== undefined,
    };
    const { data } = transposed(stored);
    const own = depthwise
      ? {
          className: 'DepthwiseConv1D',
          config: { ...common, depth_multiplier: rows / features },
          kernel: layerWeight('depthwise_kernel', { shape: [size, features, rows / features], data, grid }),
        }
      : {
          className: 'Conv1D',
          config: { ...common, filters: rows, ...(e.dialect === 'tfjs' ? {} : { groups }) },
          kernel: layerWeight('kernel', { shape: [size, columns / size, rows], data, grid }),
        };
    const weights = [...own.kernel, ...layerWeight('bias', bias)];
    return e.add(own.className, node.name, own.config, [input], { weights, key: sharingKey(node) });
  });
};

const pool: Maker = (e, node) => {
  const x = node.inputs.x!;
  const window = windowOf(node);
  e.later(node.outputs.y!, () => {
    const { size, stride, padding } = window;
    const isValid = padding[0] === 0 && padding[1] === 0;
    if (!isValid && !isSame(e, x, window)) e.refuse(node, 'its padding is neither "valid" nor "same"');
    const className = node.attributes.function === 'max' ? 'MaxPooling1D' : 'AveragePooling1D';
    const config = {
      pool_size: [size],
      strides: [stride],
      padding: isValid ? 'valid' : 'same',
      data_format: 'channels_last',
    };
    return e.add(className, node.name, config, [e.plain(x)]);
  });
};

/** A variance and an epsilon whose sum is exactly 1. */
const epsilon = 2 ** -10;

const scaleShift: Maker = (e, node) => {
  const x = node.inputs.x!;
  e.later(node.outputs.y!, () => {
    const width = e.width(x);
    const [gamma, beta] = [e.weight(node, 'scale'), e.weight(node, 'shift')];
    const all = (value: number) => ({ shape: [width], data: new Float32Array(width).fill(value) });
    const weights = [
      ...layerWeight('gamma', gamma),
      ...layerWeight('beta', beta),
      ...layerWeight('moving_mean', all(0)),
      ...layerWeight('moving_variance', all(1 - epsilon)),
    ];
    const config = { axis: -1, momentum: 0.99, epsilon, scale: gamma !== undefined, center: beta !== undefined };
    const input = e.carrying(x);
    const y = e.add('BatchNormalization', node.name, config, [input], { weights, key: sharingKey(node) });
    return { ...y, mask: input.mask };
  });
};

const prelu: Maker = (e, node) => {
  const x = node.inputs.x!;
  e.later(node.outputs.y!, () => {
    const { data } = e.weight(node, 'slope')!;
    // One axis for every dimension between the batch and the features.
    const shared = e.isSequence(x) ? [1] : [];
    const weights = layerWeight('alpha', { shape: [...shared, data.length], data });
    const config = { shared_axes: shared.length > 0 ? shared : null };
    const input = e.carrying(x);
    return { ...e.add('PReLU', node.name, config, [input], { weights, key: sharingKey(node) }), mask: input.mask };
  });
};

const normalization: Maker = (e, node) => {
  const x = node.inputs.x!;
  const { kind } = node.attributes;
  const smallest = Number(node.attributes.epsilon);
  e.later(node.outputs.y!, () => {
    const [gamma, beta] = [e.weight(node, 'gamma'), e.weight(node, 'beta')];
    if (kind === 'layer') {
      const config = { axis: -1, epsilon: smallest, scale: gamma !== undefined, center: beta !== undefined };
      const weights = [...layerWeight('gamma', gamma), ...layerWeight('beta', beta)];
      const input = e.carrying(x);
      const y = e.add('LayerNormalization', node.name, config, [input], { weights, key: sharingKey(node) });
      return { ...y, mask: input.mask };
    }
    if (kind === 'rms') {
      if (e.dialect !== 'keras3') e.refuse(node, 'it has no RMS normalization');
      if (beta) e.refuse(node, 'an RMS normalization with a shift');
      const ones = { shape: [e.width(x)], data: new Float32Array(e.width(x)).fill(1) };
      const weights = layerWeight('scale', gamma ?? ones);
      return e.add('RMSNormalization', node.name, { axis: -1, epsilon: smallest }, [e.plain(x)], {
        weights,
        key: sharingKey(node),
      });
    }
    if (e.dialect === 'tfjs') e.refuse(node, 'it has no unit normalization');
    if (gamma || beta || smallest > 1e-12) e.refuse(node, 'a unit normalization with options of its own');
    if (smallest !== (e.dialect === 'keras3' ? 1e-24 : 1e-12))
      e.notes.add('unit normalization: vectors shorter than 1e-6 are treated as the written version of Keras does');
    return e.add('UnitNormalization', node.name, { axis: -1 }, [e.plain(x)]);
  });
};

export const linearMakers: Readonly<Record<string, Maker>> = {
  dense,
  embedding,
  conv1d,
  pool,
  scaleShift,
  prelu,
  normalization,
};
