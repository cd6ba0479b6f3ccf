import { show } from '../json.ts';
import { flagIn, type LayerContext, type LayerReader, numberIn, only, refuseLayer } from '../layer.ts';
import type { KerasTensor } from '../tensor.ts';

/** The axes of an option, counted from the batch; inside TimeDistributed the steps are none. */
function axesOf({ builder, layer, eachStep }: LayerContext, x: KerasTensor): unknown[] {
  const value = layer.config.axis ?? -1;
  const rank = builder.rank(x.value, eachStep);
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((axis) => (typeof axis === 'number' && axis < 0 ? axis + rank : axis)).sort();
}

/** Refuses what works along anything but the features. */
export function checkAxis(context: LayerContext, x: KerasTensor): number {
  const { builder, layer, eachStep } = context;
  const axes = axesOf(context, x);
  if (axes.length !== 1 || axes[0] !== builder.rank(x.value, eachStep) - 1) {
    refuseLayer(context, `works along axis ${show(layer.config.axis)}`, 'use the last axis');
  }
  return builder.type(x.value).shape.at(-1)!;
}

/** A vector of the layer, where it has one. */
function vector(context: LayerContext, name: string, width: number): Float32Array {
  const { data } = context.supply.take([width], name);
  if (data.length !== width) refuseLayer(context, `weight "${name}" has ${data.length} values for ${width} features`);
  return data;
}

/** Normalization over the steps is normalization over the features with both exchanged. */
export function overSteps(reader: LayerReader): LayerReader {
  return (context, inputs, named) => {
    const x = only(context, inputs);
    const { builder, layer, name } = context;
    const axes = axesOf(context, x);
    const isAcross = axes.length === 1 && axes[0] === 1 && builder.rank(x.value, context.eachStep) === 3;
    if (!isAcross) return reader(context, inputs, named);
    const across = builder.add('transpose', `${name}/across`, { x: x.value }).y!;
    const inner = { ...context, layer: { ...layer, config: { ...layer.config, axis: -1 } } };
    const [y] = reader(inner, [{ value: across }], named);
    return [{ value: builder.add('transpose', `${name}/back`, { x: y!.value }).y!, mask: x.mask }];
  };
}

/** (x − mean)/√(variance + epsilon)·gamma + beta with fixed statistics is one scale and one shift. */
const batchNormalization: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  const x = only(context, inputs);
  const width = checkAxis(context, x);
  if (flagIn(context, 'renorm')) refuseLayer(context, 'batch renormalization', 'use plain BatchNormalization');
  if (context.isNew) return newBatchNormalization(context, x, width);
  const scaleName = `${name}/scale`;
  if (!Object.hasOwn(builder.weights, scaleName)) {
    const gamma = flagIn(context, 'scale', true) ? vector(context, 'gamma', width) : undefined;
    const beta = flagIn(context, 'center', true) ? vector(context, 'beta', width) : undefined;
    const mean = vector(context, 'moving_mean', width);
    const variance = vector(context, 'moving_variance', width);
    const epsilon = numberIn(context, 'epsilon', 1e-3);
    const factor = Array.from(variance, (v, i) => (gamma?.[i] ?? 1) / Math.sqrt(v + epsilon));
    const shift = factor.map((f, i) => (beta?.[i] ?? 0) - mean[i]! * f);
    builder.weight(scaleName, () => ({ shape: [width], data: Float32Array.from(factor) }));
    builder.weight(`${name}/shift`, () => ({ shape: [width], data: Float32Array.from(shift) }));
  }
  return [
    {
      ...x,
      value: builder.add('scaleShift', name, { x: x.value }, {}, { scale: scaleName, shift: `${name}/shift` }).y!,
    },
  ];
};

/** To be trained the statistics stand in a node of their own, which follows the batches. */
function newBatchNormalization(context: LayerContext, x: KerasTensor, width: number): KerasTensor[] {
  const { builder, name } = context;
  const epsilon = numberIn(context, 'epsilon', 1e-3);
  const vectors = (owner: string, roles: readonly string[]) =>
    Object.fromEntries(
      roles.map((role) => [role, builder.weight(`${owner}/${role}`, () => context.supply.take([width], role))]),
    );
  const statistics = `${name}/statistics`;
  const both = vectors(statistics, ['scale', 'shift']);
  const standard = builder.add('scaleShift', statistics, { x: x.value }, { epsilon }, both).y!;
  const learnt = [
    ...(flagIn(context, 'scale', true) ? ['scale'] : []),
    ...(flagIn(context, 'center', true) ? ['shift'] : []),
  ];
  if (learnt.length === 0) return [{ ...x, value: standard }];
  return [{ ...x, value: builder.add('scaleShift', name, { x: standard }, {}, vectors(name, learnt)).y! }];
}

const layerNormalization: LayerReader = (context, inputs, named) => {
  const { builder, name, layer } = context;
  const x = only(context, inputs);
  if (axesOf(context, x).join() === '1,2' && builder.rank(x.value, context.eachStep) === 3) {
    // Over steps and features at once: laid side by side they are the features of one vector.
    const steps = builder.steps(x.value) ?? refuseLayer(context, 'normalizes over an open number of steps');
    const width = builder.type(x.value).shape.at(-1)!;
    const flat = builder.add('reshape', `${name}/flat`, { x: x.value }, { shape: [steps * width] }).y!;
    const inner = { ...context, layer: { ...layer, config: { ...layer.config, axis: -1 } } };
    const [y] = layerNormalization(inner, [{ value: flat }], named);
    return [
      {
        ...x,
        value: builder.add('reshape', `${name}/steps`, { x: y!.value }, { shape: [steps, width], time: true }).y!,
      },
    ];
  }
  const width = checkAxis(context, x);
  if (flagIn(context, 'rms_scaling')) refuseLayer(context, 'rms_scaling', 'use RMSNormalization');
  const weights: Record<string, string> = {};
  for (const [flag, role] of [
    ['scale', 'gamma'],
    ['center', 'beta'],
  ] as const) {
    if (flagIn(context, flag, true)) {
      weights[role] = builder.weight(`${name}/${role}`, () => ({ shape: [width], data: vector(context, role, width) }));
    }
  }
  const attributes = { kind: 'layer', epsilon: numberIn(context, 'epsilon', 1e-3) };
  return [{ ...x, value: builder.add('normalization', name, { x: x.value }, attributes, weights).y! }];
};

const rmsNormalization: LayerReader = (context, inputs) => {
  const { builder, name } = context;
  const x = only(context, inputs);
  const width = checkAxis(context, x);
  const gamma = builder.weight(`${name}/gamma`, () => ({ shape: [width], data: vector(context, 'scale', width) }));
  const attributes = { kind: 'rms', epsilon: numberIn(context, 'epsilon', 1e-6) };
  // Keras loses the mask here.
  return [{ value: builder.add('normalization', name, { x: x.value }, attributes, { gamma }).y! }];
};

const unitNormalization: LayerReader = (context, inputs) => {
  const x = only(context, inputs);
  // Keras 2 bounds the square sum, Keras 3 its root.
  const epsilon = context.version.major >= 3 ? 1e-24 : 1e-12;
  checkAxis(context, x);
  const value = context.builder.add('normalization', context.name, { x: x.value }, { kind: 'unit', epsilon }).y!;
  return [{ ...x, value }];
};

/** Numbers of an option that may be one number for all features, or nested lists. */
function listed(value: unknown, width: number): number[] | undefined {
  const flat = (Array.isArray(value) ? value.flat(8) : [value]) as unknown[];
  if (!flat.every((n): n is number => typeof n === 'number' && Number.isFinite(n))) return undefined;
  if (flat.length === 1) return Array.from({ length: width }, () => flat[0] as number);
  return flat.length === width ? (flat as number[]) : undefined;
}

function scaleAndShift(
  context: LayerContext,
  x: KerasTensor,
  make: () => { scale: number[]; shift: number[] },
): KerasTensor[] {
  const { builder, name } = context;
  const made = Object.hasOwn(builder.weights, `${name}/scale`) ? undefined : make();
  const weights = {
    scale: builder.weight(`${name}/scale`, () => ({
      shape: [made!.scale.length],
      data: Float32Array.from(made!.scale),
    })),
    shift: builder.weight(`${name}/shift`, () => ({
      shape: [made!.shift.length],
      data: Float32Array.from(made!.shift),
    })),
  };
  return [{ ...x, value: builder.add('scaleShift', name, { x: x.value }, {}, weights).y! }];
}

/** Preprocessing layers hand the mask on since Keras 3. */
function maskOfThree({ version }: LayerContext, x: KerasTensor): KerasTensor {
  return version.major >= 3 ? x : { value: x.value };
}

const rescaling: LayerReader = (context, inputs) => {
  const x = maskOfThree(context, only(context, inputs));
  const width = context.builder.type(x.value).shape.at(-1)!;
  return scaleAndShift(context, x, () => {
    const scale = listed(context.layer.config.scale, width) ?? refuseLayer(context, 'its scale is no number');
    const shift = listed(context.layer.config.offset ?? 0, width) ?? refuseLayer(context, 'its offset is no number');
    return { scale, shift };
  });
};

/** (x − mean)/max(√variance, 1e-7), by statistics in the configuration or adapted ones in the file; or its inverse. */
const normalization: LayerReader = (context, inputs) => {
  const x = maskOfThree(context, only(context, inputs));
  const width = context.builder.type(x.value).shape.at(-1)!;
  // Without an axis there is one mean and one variance for everything.
  const { axis } = context.layer.config;
  if (axis !== null && !(Array.isArray(axis) && axis.length === 0)) checkAxis(context, x);
  return scaleAndShift(context, x, () => {
    const { mean, variance } = context.layer.config;
    const given = mean !== undefined && mean !== null;
    const middle = listed(given ? mean : [...context.supply.take([width], 'mean').data], width);
    const spread = listed(given ? variance : [...context.supply.take([width], 'variance').data], width);
    if (!given) context.supply.skip('count');
    if (!middle || !spread) return refuseLayer(context, 'its statistics do not fit the features');
    const deviation = spread.map((v) => Math.max(Math.sqrt(v), 1e-7));
    if (flagIn(context, 'invert')) return { scale: deviation, shift: middle };
    return { scale: deviation.map((d) => 1 / d), shift: middle.map((m, i) => -m / deviation[i]!) };
  });
};

export const normalizationLayers: Readonly<Record<string, LayerReader>> = {
  BatchNormalization: overSteps(batchNormalization),
  BatchNormalizationV1: overSteps(batchNormalization),
  LayerNormalization: overSteps(layerNormalization),
  RMSNormalization: rmsNormalization,
  UnitNormalization: unitNormalization,
  Rescaling: rescaling,
  Normalization: normalization,
};
