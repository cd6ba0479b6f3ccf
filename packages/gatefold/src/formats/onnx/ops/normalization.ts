import { type Call, floatsOf } from '../graph/call.ts';
import { constant, isFeature, showTensor, type Tensor } from '../graph/tensor.ts';
import { renamed, rowOf } from '../graph/views.ts';
import { scaleOrShift } from './elementwise.ts';
import type { Handler } from './types.ts';

/** Batch normalization at inference: x⊙scale + shift over the channels, the second axis. */
function batchNormalization(call: Call): Tensor[] {
  const x = call.value(0);
  if (call.int('training_mode', 0) !== 0 || call.int('spatial', 1) === 0)
    call.refuse('is in training mode or not spatial');
  const [gamma, beta, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((what, i) =>
    floatsOf(call, call.constant(i + 1, what), what),
  );
  const epsilon = call.float('epsilon', 1e-5);
  const channels = x.axes[1];
  if (!channels || !isFeature(channels) || channels.size !== gamma!.length) {
    return call.refuse('does not read [batch, channels, …]', { found: showTensor(x) });
  }
  const scale = gamma!.map((g, i) => g / Math.sqrt(variance![i]! + epsilon));
  const shift = beta!.map((b, i) => b - mean![i]! * scale[i]!);
  const shape = [scale.length, ...x.axes.slice(2).map(() => 1)];
  const scaled = scaleOrShift(call, x, 'scale', constant('float', shape, scale));
  return [scaleOrShift(call, scaled, 'shift', constant('float', shape, shift))];
}

/** Over the features of each row (opset 17). */
function layerNormalization(call: Call): Tensor[] {
  const x = call.value(0);
  const axis = call.axis(call.int('axis', -1), x.axes.length);
  const others = x.axes.filter((other, i) => i < axis && isFeature(other) && other.size > 1);
  if (call.node.output.length > 1 || others.length > 0 || x.axes.slice(axis).some((other) => !isFeature(other))) {
    return call.refuse('is taken over other than the features of a step', { found: showTensor(x) });
  }
  const row = rowOf(call, x);
  const weights: Record<string, string> = {};
  for (const [i, role] of [
    [1, 'gamma'],
    [2, 'beta'],
  ] as const) {
    const tensor = call.inputs[i] && call.constant(i, role);
    if (tensor)
      weights[role] = call.weight(tensor, role, '', [tensor.data.length], () => floatsOf(call, tensor, role).slice());
  }
  const attributes = { kind: 'layer', epsilon: call.float('epsilon', 1e-5) };
  return [renamed(row, call.add('normalization', { x: row.name }, attributes, weights))];
}

export const normalizationHandlers: Readonly<Record<string, Handler>> = {
  BatchNormalization: {
    attributes: ['epsilon', 'momentum', 'training_mode', 'spatial', 'consumed_inputs', 'is_test'],
    run: batchNormalization,
  },
  LayerNormalization: { attributes: ['axis', 'epsilon', 'stash_type'], run: layerNormalization },
};
