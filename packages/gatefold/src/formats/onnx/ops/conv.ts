import { type Call, floatsOf, matrixWeight } from '../graph/call.ts';
import {
  type Axis,
  type Constant,
  type FeatureAxis,
  feature,
  isFeature,
  isUnknown,
  showTensor,
  type Tensor,
  type Value,
} from '../graph/tensor.ts';
import { renamed, rowOf } from '../graph/views.ts';
import { joinValues } from './join.ts';
import type { Handler } from './types.ts';

const mostPositions = 256;
const windowAttributes = ['kernel_shape', 'strides', 'dilations', 'pads', 'auto_pad'];

export interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly left: number;
  readonly right: number;
}

/** The window of a one-dimensional convolution or pool. `length` is needed for SAME padding with strides. */
function windowOf(call: Call, size: number, length: number | undefined): Window {
  const one = (name: string) => {
    const list = call.ints(name) ?? [1];
    if (list.length !== 1 || !(Number.isInteger(list[0]) && list[0]! >= 1))
      call.refuse(`has more than one dimension, or odd ${name}`, { found: `[${list}]` });
    return list[0]!;
  };
  const stride = one('strides');
  const dilation = one('dilations');
  const reach = (size - 1) * dilation + 1;
  const auto = call.text('auto_pad', 'NOTSET');
  let [left = 0, right = 0] = auto === 'NOTSET' ? (call.ints('pads') ?? []) : [];
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    if (stride !== 1 && length === undefined)
      call.refuse('pads to the same length with strides, and the file leaves the length open');
    const total = Math.max(0, stride === 1 ? reach - 1 : (Math.ceil(length! / stride) - 1) * stride + reach - length!);
    left = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
    right = total - left;
  } else if (auto !== 'NOTSET' && auto !== 'VALID') call.refuse('unknown auto_pad', { found: auto });
  if (left < 0 || right < 0 || (call.ints('pads')?.length ?? 2) !== 2) call.refuse('has pads without meaning here');
  return { size, stride, dilation, left, right };
}

/** [outputs, inputs, taps] as a kernel [outputs, taps·inputs], tap-major. */
function kernelWeight(call: Call, w: Constant): string {
  const [outputs, inputs, size] = w.shape as [number, number, number];
  return matrixWeight(call, w, 'kernel', 'taps', [outputs, size * inputs], (data) => {
    const out = new Float32Array(data.length);
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        for (let tap = 0; tap < size; tap++) out[(o * size + tap) * inputs + i] = data[(o * inputs + i) * size + tap]!;
      }
    }
    return out;
  });
}

/** Windows over an axis of features: a product for each place, all of one kernel. The channels stay innermost in the row. */
function alongFeatures(
  call: Call,
  x: Value,
  window: Window,
  weights: Readonly<Record<string, string>>,
  outputs: number,
): Value {
  const { size, stride, dilation, left, right } = window;
  const channels = x.axes[1] as FeatureAxis;
  const padded =
    left + right === 0
      ? x
      : joinValues(
          call,
          [...(left > 0 ? [0] : []), x, ...(right > 0 ? [0] : [])],
          [...(left > 0 ? [left] : []), (x.axes[2] as FeatureAxis).size, ...(right > 0 ? [right] : [])],
          2,
        );
  const length = padded.axes[2] as FeatureAxis;
  const places = Math.floor((length.size - (size - 1) * dilation - 1) / stride) + 1;
  if (places < 1) call.fail('MODEL_SHAPE', 'its input is shorter than a window', { found: showTensor(x) });
  if (places > mostPositions)
    call.refuse('stands at too many places of one step', {
      expected: `at most ${mostPositions}`,
      found: String(places),
    });
  const inner = padded.axes[1] as FeatureAxis;
  const parts = Array.from({ length: places }, (_, place): Value => {
    const taps = [feature(size, length.stride * dilation), feature(channels.size, inner.stride)];
    const row = rowOf(call, {
      ...padded,
      offset: padded.offset + place * stride * length.stride,
      axes: [padded.axes[0]!, ...taps],
    });
    const name = call.add('dense', { x: row.name }, {}, weights);
    return { ...renamed(row, name), axes: [padded.axes[0]!, feature(outputs, 1), feature(1)] };
  });
  return joinValues(
    call,
    parts,
    parts.map(() => 1),
    2,
  );
}

function conv(call: Call): Tensor[] {
  const x = call.value(0);
  const w = call.constant(1, 'kernel');
  if (w.shape.length !== 3 || x.axes.length !== 3)
    call.refuse('has more than one dimension', {
      found: showTensor(w),
      hint: 'convolutions over time are one-dimensional',
    });
  const [outputs, perGroup, size] = w.shape as [number, number, number];
  const [batch, channels, along] = x.axes as [Axis, Axis, Axis];
  const groups = call.int('group', 1);
  if (!isFeature(channels) || (isFeature(batch) && batch.size !== 1) || batch.role === 'time') {
    return call.refuse('does not read [batch, channels, time]', { found: showTensor(x) });
  }
  if (channels.size !== perGroup * groups)
    call.fail('MODEL_SHAPE', 'its kernel does not fit', {
      found: `[${w.shape}]`,
      expected: `${channels.size} channels`,
    });
  const length = isUnknown(along.size) ? undefined : along.size;
  const window = windowOf(call, size, length);
  const bias = call.inputs[2] && call.constant(2, 'bias');
  const weights: Record<string, string> = {
    kernel: kernelWeight(call, w),
    ...(bias ? { bias: call.weight(bias, 'bias', '', [outputs], () => floatsOf(call, bias, 'bias').slice()) } : {}),
  };
  let y: Value;
  if (isFeature(along)) {
    if (groups !== 1) call.refuse('has groups inside a step');
    y = alongFeatures(call, x, window, weights, outputs);
  } else {
    const row = rowOf(call, x);
    const attributes = {
      size,
      stride: window.stride,
      dilation: window.dilation,
      padding: [window.left, window.right],
      groups,
    };
    const name = call.add('conv1d', { x: row.name }, attributes, weights);
    const after =
      length === undefined
        ? { symbol: `${call.name}:time` }
        : Math.floor((length + window.left + window.right - (size - 1) * window.dilation - 1) / window.stride) + 1;
    y = { ...renamed(row, name), axes: [batch, feature(outputs, 1), { role: 'time', size: after }] };
  }
  call.reading.noteProduct(call.node.output[0] ?? '', y.name);
  return [y];
}

function pool(fn: 'max' | 'mean') {
  return (call: Call): Tensor[] => {
    const x = call.value(0);
    const [batch, channels, along] = x.axes as [Axis, Axis, Axis];
    if (x.axes.length !== 3 || along.role !== 'time' || !isFeature(channels)) {
      return call.refuse('does not read [batch, channels, time]', { found: showTensor(x) });
    }
    const [size = 0] = call.ints('kernel_shape') ?? [];
    const length = isUnknown(along.size) ? undefined : along.size;
    const { left, right, stride, dilation } = windowOf(call, size, length);
    if (dilation !== 1 || call.int('ceil_mode', 0) !== 0) call.refuse('has dilation or ceil_mode');
    if (fn === 'mean' && left + right > 0 && call.int('count_include_pad', 0) !== 0) call.refuse('counts its padding');
    const row = rowOf(call, x);
    const name = call.add('pool', { x: row.name }, { function: fn, size, stride, padding: [left, right] });
    const after =
      length === undefined ? { symbol: `${call.name}:time` } : Math.floor((length + left + right - size) / stride) + 1;
    return [{ ...renamed(row, name), axes: [batch, { ...channels, stride: 1 }, { role: 'time', size: after }] }];
  };
}

export const convHandlers: Readonly<Record<string, Handler>> = {
  Conv: { attributes: [...windowAttributes, 'group'], run: conv },
  MaxPool: { attributes: [...windowAttributes, 'ceil_mode', 'storage_order'], run: pool('max') },
  AveragePool: { attributes: [...windowAttributes, 'ceil_mode', 'count_include_pad'], run: pool('mean') },
};
