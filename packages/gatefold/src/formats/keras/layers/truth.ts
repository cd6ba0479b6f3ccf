import { type LayerContext, type LayerReader, only, refuseLayer } from '../layer.ts';
import type { KerasTensor, Truth } from '../tensor.ts';

// Keras 3 writes the masks that travel beside tensors as operations of the graph: x ≠ value, any over features, or, join.

function truthOf(context: LayerContext, { truth }: KerasTensor): Truth {
  return truth ?? refuseLayer(context, 'works on numbers, but only masks are computed with it');
}

/** The mask that a truth means for the steps of x; undefined where it is always true. */
export function stepMask(context: LayerContext, tensor: KerasTensor, x: KerasTensor): string | undefined {
  // Where the mask travels with x as well, it is the same one and already there.
  if (x.mask !== undefined && tensor.truth?.masks.length === 1 && tensor.truth.masks[0] === x.mask) return x.mask;
  const { masks, always } = truthOf(context, tensor);
  return always ? undefined : anyOf(context, masks);
}

function anyOf(context: LayerContext, masks: readonly string[]): string {
  const { builder, name } = context;
  const [first, ...rest] = masks;
  if (first === undefined) return refuseLayer(context, 'its mask hides every step');
  return rest.reduce((a, b) => builder.add('binary', `${name}/mask`, { a, b }, { function: 'maximum' }).y!, first);
}

function truth(masks: readonly string[], always = false): KerasTensor[] {
  return [{ value: '', truth: { masks: [...new Set(masks)], always } }];
}

/** The mask of steps where x differs from a number in any feature: made once for all that ask. */
export function differs(context: LayerContext, x: string, value: number): string {
  const { builder } = context;
  const known = builder.nodes.find(
    ({ op, inputs, attributes }) => op === 'mask' && inputs.x === x && attributes.value === value,
  );
  return known?.outputs.y ?? builder.add('mask', `${context.name}/mask`, { x }, { value }).y!;
}

const notEqual: LayerReader = (context, inputs, { operands }) => {
  const values = operands.flatMap((operand) => ('constant' in operand ? [operand.constant] : []));
  const [value] = values;
  if (typeof value !== 'number' || !Number.isFinite(value))
    return refuseLayer(context, 'compares with something that is no number');
  return truth([differs(context, only(context, inputs).value, value)]);
};

/** Any over the features, and a new last dimension, keep what a truth says of its step. */
const same: LayerReader = (context, inputs) => {
  const { axis } = context.layer.config;
  if (axis !== -1 && axis !== 2) return refuseLayer(context, `axis ${String(axis)}`);
  const x = only(context, inputs);
  truthOf(context, x);
  return [x];
};

/** Or, of steps or of masks side by side. */
export const joinTruths: LayerReader = (context, inputs) => {
  const all = inputs.map((tensor) => truthOf(context, tensor));
  return truth(
    all.flatMap(({ masks }) => masks),
    all.some(({ always }) => always),
  );
};

const logicalAnd: LayerReader = (context, inputs) => {
  const [first, ...rest] = inputs
    .map((tensor) => truthOf(context, tensor))
    .flatMap(({ masks, always }) => (always ? [] : [anyOf(context, masks)]));
  if (first === undefined) return truth([], true);
  const { builder, name } = context;
  return truth([rest.reduce((a, b) => builder.add('binary', name, { a, b }, { function: 'minimum' }).y!, first)]);
};

export const truthOperations: Readonly<Record<string, LayerReader>> = {
  NotEqual: notEqual,
  Any: same,
  ExpandDims: same,
  LogicalOr: joinTruths,
  LogicalAnd: logicalAnd,
  ZerosLike: () => truth([]),
  OnesLike: () => truth([], true),
};
