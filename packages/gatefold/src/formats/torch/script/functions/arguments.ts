import type { ArchitectureLayer } from '../../../state-dict/index.ts';
import { type Axis, axesOf, isKind, itemsOf, type LayerValue, setRole, stop, type Value } from '../values.ts';

/** What a function of torch is given: arguments by place, or by name. */
export interface Arguments {
  readonly given: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
  /** For messages. */
  readonly place: string;
  /** Adds a layer; returns its name. */
  add(layer: ArchitectureLayer): string;
}

/** Writes down what a call does; @throws NotFollowed where it has no meaning as layers. */
export type Handler = (call: Arguments) => Value;

export function valueAt({ given, place }: Arguments, at = 0): LayerValue {
  const value = given[at];
  if (isKind(value, 'value')) return value;
  return stop(isKind(value, 'unknown') ? value.why : `${place} is not given the output of a layer`);
}

/** Dimensions of the first argument where something told them. */
export function knownAxes(call: Arguments): readonly Axis[] {
  return valueAt(call).axes ?? stop(`${call.place}: the dimensions of its input are not known`);
}

export function keyAt({ given, place }: Arguments, at: number): string {
  const value = given[at];
  return isKind(value, 'tensor') ? value.key : stop(`${place} computes its weights`);
}

/** The key of a tensor that may be absent. */
export function optionalKeyAt(call: Arguments, at: number): string | undefined {
  return (call.given[at] ?? null) === null ? undefined : keyAt(call, at);
}

export function numberAt({ given, place }: Arguments, at: number, otherwise?: number): number {
  const value = given[at] ?? otherwise;
  return typeof value === 'number' ? value : stop(`${place} has an option that is no number`);
}

/** Numbers of a list, or one that stands for a list. */
export function numbersAt({ given, place }: Arguments, at: number): number[] {
  const items = itemsOf(given[at]) ?? [given[at] ?? null];
  return items.map((item) => (typeof item === 'number' ? item : stop(`${place} has an option that is no number`)));
}

export const made = (layer: string, axes: readonly Axis[] | undefined): LayerValue => ({
  kind: 'value',
  memory: { layer },
  axes,
});

/** The same numbers seen by other dimensions: what is done to one in place is done to both. */
export const viewed = ({ memory }: LayerValue, axes: readonly Axis[]): LayerValue => ({ kind: 'value', memory, axes });

export const features = (): Axis => ({ role: 'features' });

/** Axes without one, and with another in its place. */
export const without = (axes: readonly Axis[], at: number): Axis[] => axes.filter((_, i) => i !== at);
export const replaced = (axes: readonly Axis[], at: number, by: Axis): Axis[] =>
  axes.map((axis, i) => (i === at ? by : axis));

/** A layer that changes the features alone, which are the last dimension. */
export function alongFeatures(call: Arguments, layer: ArchitectureLayer): LayerValue {
  const x = valueAt(call);
  const axes = x.axes ?? axesOf(x, 3, call.place);
  setRole(axes.at(-1), 'features', call.place);
  return made(call.add({ ...layer, from: x.memory.layer }), replaced(axes, axes.length - 1, features()));
}
