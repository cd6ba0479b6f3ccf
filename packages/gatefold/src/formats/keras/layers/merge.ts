import type { KerasTensor } from '../builder.ts';
import { type LayerContext, type LayerReader, refuseLayer } from '../layer.ts';
import { joinTruths, stepMask } from './truth.ts';

/**
 * The mask of joined tensors. Keras 2: a step counts where every mask says so. Keras 3: where any does, and a tensor
 * without mask counts everywhere.
 */
function joinMasks({ builder, name, kerasMajor }: LayerContext, inputs: readonly KerasTensor[]): string | undefined {
  const masks = [...new Set(inputs.flatMap(({ mask }) => (mask === undefined ? [] : [mask])))];
  const [first, ...rest] = masks;
  const unmasked = inputs.some(({ mask }) => mask === undefined);
  if (first === undefined || (kerasMajor >= 3 && unmasked)) return undefined;
  const fn = kerasMajor >= 3 ? 'maximum' : 'multiply';
  return rest.reduce((a, b) => builder.add('binary', `${name}/mask`, { a, b }, { function: fn }).y!, first);
}

/** Repeats the steps of a one-step sequence where the others have more. */
function broadcast(context: LayerContext, inputs: readonly KerasTensor[]): string[] {
  const { builder, name } = context;
  const steps = inputs.map(({ value }) => (builder.isSequence(value) ? builder.steps(value) : undefined));
  const most = Math.max(...steps.map((n) => n ?? 0));
  return inputs.map(({ value }, i) => {
    if (steps[i] !== 1 || most <= 1) return value;
    return builder.add('repeat', `${name}/repeat`, { x: value }, { times: most }).y!;
  });
}

function elementwise(fn: string, average = false): LayerReader {
  return (context, inputs) => {
    const { builder, name } = context;
    if (inputs.length < 1) refuseLayer(context, 'is called without inputs');
    const [first, ...rest] = broadcast(context, inputs);
    let value = first!;
    for (const b of rest) value = builder.add('binary', name, { a: value, b }, { function: fn }).y!;
    if (average)
      value = builder.add('unary', `${name}/mean`, { x: value }, { function: ['affine', 1 / inputs.length, 0] }).y!;
    return [{ value, mask: joinMasks(context, inputs) }];
  };
}

/** Along time: with time and features exchanged it is a concatenation of features. */
function joinSteps({ builder }: LayerContext, values: readonly string[], what: string): string {
  const across = values.map((value) => builder.add('transpose', `${what}/across`, { x: value }).y!);
  const named = Object.fromEntries(across.map((value, i) => [String(i), value]));
  return builder.add('transpose', what, { x: builder.add('concat', `${what}/joined`, named).y! }).y!;
}

const concatenate: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  if (inputs.length < 1) refuseLayer(context, 'is called without inputs');
  const axis = Number(layer.config.axis ?? -1);
  if (inputs.every(({ truth }) => truth)) {
    if (axis === -1) return joinTruths(context, inputs, { tensors: {}, constants: [] });
    const masks = inputs.map(
      (tensor) => stepMask(context, tensor) ?? refuseLayer(context, 'joins a mask that is always true'),
    );
    return [{ value: '', truth: { masks: [joinSteps(context, masks, name)], always: false } }];
  }
  const rank = 1 + (builder.isSequence(inputs[0]!.value) ? 1 : 0) + builder.type(inputs[0]!.value).shape.length;
  const list = (values: readonly string[]) => Object.fromEntries(values.map((value, i) => [String(i), value]));
  if (axis === -1 || axis === rank - 1) {
    const value = builder.add('concat', name, list(inputs.map((tensor) => tensor.value))).y!;
    return [{ value, mask: joinMasks(context, inputs) }];
  }
  if (rank !== 3 || (axis !== 1 && axis !== -2))
    return refuseLayer(context, `axis ${axis}`, 'concatenate along steps or features');
  const join = (values: readonly string[], what: string) => joinSteps(context, values, what);
  const value = join(
    inputs.map((tensor) => tensor.value),
    name,
  );
  if (inputs.every(({ mask }) => mask === undefined)) return [{ value }];
  // A sequence without mask counts everywhere: 0·x + 1 of its first feature.
  const masks = inputs.map((tensor) => {
    if (tensor.mask !== undefined) return tensor.mask;
    const first = builder.add('slice', `${name}/first`, { x: tensor.value }, { from: 0, to: 1 }).y!;
    return builder.add('unary', `${name}/ones`, { x: first }, { function: ['affine', 0, 1] }).y!;
  });
  return [{ value, mask: join(masks, `${name}/mask`) }];
};

export const mergeLayers: Readonly<Record<string, LayerReader>> = {
  Add: elementwise('add'),
  Subtract: elementwise('subtract'),
  Multiply: elementwise('multiply'),
  Average: elementwise('add', true),
  Maximum: elementwise('maximum'),
  Minimum: elementwise('minimum'),
  Concatenate: concatenate,
};
