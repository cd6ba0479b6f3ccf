import { sizeOf } from '@gatefold/runtime';
import type { Call } from './call.ts';
import { type Axis, type FeatureAxis, isFeature, plainFeatures, type Value } from './tensor.ts';

/** Feature axes of a value, in the file's order. */
export function featuresOf({ axes }: Pick<Value, 'axes'>): FeatureAxis[] {
  return axes.filter(isFeature);
}

/** The axes with these features put in the place of the old, one for one. */
export function withFeatures(axes: readonly Axis[], features: readonly FeatureAxis[]): Axis[] {
  let next = 0;
  return axes.map((axis) => (isFeature(axis) ? features[next++]! : axis));
}

function strideOrder(features: readonly FeatureAxis[]): number[] {
  return features
    .map((_, i) => i)
    .sort((a, b) => Math.abs(features[b]!.stride) - Math.abs(features[a]!.stride) || a - b);
}

/** Strides with which features in this order of axes lie in a row. */
function stridesIn(order: readonly number[], sizes: readonly number[]): FeatureAxis[] {
  const out = new Array<FeatureAxis>(sizes.length);
  const plain = plainFeatures(order.map((i) => sizes[i]!));
  for (let k = 0; k < order.length; k++) out[order[k]!] = plain[k]!;
  return out;
}

/**
 * The value as features that fill their row, laid out in the given order of its feature axes (outermost first; by default
 * the file's). Adds a slice or a view where they do not lie so already.
 */
export function rowOf(call: Call, value: Value, order?: readonly number[]): Value {
  const { reading } = call;
  const features = featuresOf(value);
  const sizes = features.map(({ size }) => size);
  const chosen = order ?? features.map((_, i) => i);
  const wanted = stridesIn(chosen, sizes);
  const width = sizeOf(reading.builder.type(value.name).shape);
  const count = sizeOf(sizes);
  const inRow = features.every(({ size, stride }, i) => size === 1 || stride === wanted[i]!.stride);
  const axes = withFeatures(value.axes, wanted);
  if (inRow && value.offset === 0 && count === width) return { ...value, axes };
  const shown = chosen.filter((i) => sizes[i]! > 1);
  const key = JSON.stringify([value.name, value.offset, shown.map((i) => [sizes[i], features[i]!.stride])]);
  let name = reading.rows.get(key);
  if (name === undefined) {
    name = inRow
      ? call.add('slice', { x: value.name }, { from: value.offset, to: value.offset + count }, {}, '/slice')
      : call.add(
          'view',
          { x: value.name },
          {
            offset: value.offset,
            sizes: shown.map((i) => sizes[i]!),
            strides: shown.map((i) => features[i]!.stride),
          },
          {},
          '/view',
        );
    reading.rows.set(key, name);
  }
  return { ...value, name, offset: 0, axes };
}

/** The value as features that fill their row in the order in which they lie in memory: free where all of them are there. */
export function denseOf(call: Call, value: Value): Value {
  return rowOf(call, value, strideOrder(featuresOf(value)));
}

/** Order of the feature axes in memory, for `rowOf` of another value that is to lie the same way. */
export function memoryOrder(value: Value): number[] {
  return strideOrder(featuresOf(value));
}

/** The result of an op that works on rows as they lie: the same axes, another name. */
export function renamed(value: Value, name: string): Value {
  return { kind: 'value', name, offset: value.offset, axes: value.axes };
}

/** Number of the value's features. */
export function widthOf(value: Pick<Value, 'axes'>): number {
  return sizeOf(featuresOf(value).map(({ size }) => size));
}
