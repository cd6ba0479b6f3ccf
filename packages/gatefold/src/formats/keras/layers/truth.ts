import type { KerasTensor, Truth } from '../builder.ts';
import { type LayerContext, type LayerReader, only, refuseLayer } from '../layer.ts';

// Keras 3 writes the masks that travel beside tensors as operations of the graph: x ≠ value, any over features, or, join.

function truthOf(context: LayerContext, { truth }: KerasTensor): Truth {
  return truth ?? refuseLayer(context, 'works on numbers, but only masks are computed with it');
}

/** The mask that a truth means for steps; undefined where it is always true. */
export function stepMask(context: LayerContext, tensor: KerasTensor): string | undefined {
  const { builder, name } = context;
  const { masks, always } = truthOf(context, tensor);
  if (always) return undefined;
  const [first, ...rest] = masks;
  if (first === undefined) return refuseLayer(context, 'its mask hides every step');
  return rest.reduce((a, b) => builder.add('binary', `${name}/mask`, { a, b }, { function: 'maximum' }).y!, first);
}

const truth = (masks: readonly string[], always = false): KerasTensor[] => [
  { value: '', truth: { masks: [...new Set(masks)], always } },
];

const notEqual: LayerReader = (context, inputs, { constants }) => {
  const value = constants.find((constant) => typeof constant === 'number');
  if (typeof value !== 'number') return refuseLayer(context, 'compares with something that is no number');
  return truth([context.builder.add('mask', context.name, { x: only(context, inputs).value }, { value }).y!]);
};

/** Any over the features, and a new last dimension, keep what a truth says of its step. */
const same: LayerReader = (context, inputs) => {
  const { axis } = context.layer.config;
  if (axis !== -1 && axis !== 2) return refuseLayer(context, `axis ${JSON.stringify(axis)}`);
  const x = only(context, inputs);
  truthOf(context, x);
  return [x];
};

export const joinTruths: LayerReader = (context, inputs) => {
  const all = inputs.map((tensor) => truthOf(context, tensor));
  return truth(
    all.flatMap(({ masks }) => masks),
    all.some(({ always }) => always),
  );
};

export const truthLayers: Readonly<Record<string, LayerReader>> = {
  NotEqual: notEqual,
  Any: same,
  ExpandDims: same,
  LogicalOr: joinTruths,
  ZerosLike: () => truth([]),
  OnesLike: () => truth([], true),
};
