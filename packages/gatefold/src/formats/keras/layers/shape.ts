import { sizeOf } from '@gatefold/runtime';
import { stepsHint } from '../../fix.ts';
import { show } from '../json.ts';
import { channelsLast, type LayerReader, only, refuseLayer, single } from '../layer.ts';

/** A pair of step counts: one number for both sides, or [before, after]. */
function pair(value: unknown): [number, number] | undefined {
  if (typeof value === 'number') return [value, value];
  const list = Array.isArray(value) && value.length === 1 && Array.isArray(value[0]) ? value[0] : value;
  if (Array.isArray(list) && list.length === 2 && list.every((n) => Number.isInteger(n)))
    return list as [number, number];
  return undefined;
}

const flatten: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  const x = only(context, inputs);
  channelsLast(context);
  const { shape } = builder.type(x.value);
  if (!builder.isSequence(x.value) && shape.length === 1) return [{ value: x.value }];
  const steps = builder.isSequence(x.value) ? builder.steps(x.value) : 1;
  if (steps === undefined) refuseLayer(context, 'flattens an open number of steps', stepsHint);
  return [{ value: builder.add('reshape', name, { x: x.value }, { shape: [sizeOf(shape) * steps] }).y! }];
};

const reshape: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const x = only(context, inputs);
  const { shape } = builder.type(x.value);
  const target = layer.config.target_shape;
  if (!Array.isArray(target) || target.length === 0 || !target.every((n) => Number.isInteger(n))) {
    return refuseLayer(context, `target shape ${show(target)}`);
  }
  const timed = builder.isSequence(x.value);
  const steps = timed ? builder.steps(x.value) : 1;
  const sizes = target as number[];
  const rest = sizes.slice(1);
  const keepsSteps =
    timed && rest.every((n) => n > 0) && sizeOf(rest) === sizeOf(shape) && (sizes[0] === -1 || sizes[0] === steps);
  if (keepsSteps) {
    const inner = rest.length === 0 ? [1] : rest;
    return [{ value: builder.add('reshape', name, { x: x.value }, { shape: inner, keepTime: true }).y! }];
  }
  if (steps === undefined) return refuseLayer(context, 'reshapes an open number of steps', stepsHint);
  const total = sizeOf(shape) * steps;
  const known = sizes.filter((n) => n > 0).reduce((a, b) => a * b, 1);
  const full = sizes.map((n) => (n > 0 ? n : total / known));
  if (!full.every((n) => Number.isInteger(n) && n > 0)) refuseLayer(context, `target shape [${sizes}] does not fit`);
  if (full.length === 1) return [{ value: builder.add('reshape', name, { x: x.value }, { shape: full }).y! }];
  return [{ value: builder.add('reshape', name, { x: x.value }, { shape: full, time: true }).y! }];
};

const permute: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const x = only(context, inputs);
  const order = show(layer.config.dims);
  if (order === '[1,2]' || order === '[1]') return [{ value: x.value }];
  if (order !== '[2,1]') refuseLayer(context, `dims ${order}`);
  return [{ value: builder.add('transpose', name, { x: x.value }).y! }];
};

const repeatVector: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  return [
    { value: builder.add('repeat', name, { x: only(context, inputs).value }, { times: single(context, 'n') }).y! },
  ];
};

const upSampling1d: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  return [
    {
      value: builder.add('repeat', name, { x: only(context, inputs).value }, { times: single(context, 'size', 2) }).y!,
    },
  ];
};

const zeroPadding1d: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const [left, right] = pair(layer.config.padding) ?? refuseLayer(context, `padding ${show(layer.config.padding)}`);
  return [{ value: builder.add('pad', name, { x: only(context, inputs).value }, { left, right }).y! }];
};

const cropping1d: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  const [left, right] = pair(layer.config.cropping) ?? refuseLayer(context, `cropping ${show(layer.config.cropping)}`);
  return [
    { value: builder.add('pad', name, { x: only(context, inputs).value }, { left: 0 - left, right: 0 - right }).y! },
  ];
};

export const shapeLayers: Readonly<Record<string, LayerReader>> = {
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  UpSampling1D: upSampling1d,
  ZeroPadding1D: zeroPadding1d,
  Cropping1D: cropping1d,
};
