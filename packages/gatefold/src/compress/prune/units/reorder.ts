import { type Model, sizeOf, validate, type Weight } from '@gatefold/runtime';
import type { UnitMap } from './analyse.ts';
import { sliceWeight } from './slice-weight.ts';

/**
 * The same model with hidden units in another order: where channel c stood stands channel `from(c)`, in everything that makes
 * or reads it.
 * @param from a permutation within sets of {@link exchangeable} channels
 */
export function reorderChannels(model: Model, map: UnitMap, from: (channel: number) => number): Model {
  const reorder = (weight: Weight, name: string): Weight => {
    const [rows, columns] = [weight.shape[0]!, sizeOf(weight.shape.slice(1))].map((size, axis) => {
      const channels = map.axis(name, axis as 0 | 1);
      return {
        isSame: !channels,
        order: channels ? sourcesOf(channels, from) : Array.from({ length: size }, (_, i) => i),
      };
    });
    return rows!.isSame && columns!.isSame ? weight : sliceWeight(weight, rows!.order, columns!.order);
  };
  const weights = Object.entries(model.weights).map(([name, weight]) => [name, reorder(weight, name)]);
  return validate({ ...model, weights: Object.fromEntries(weights) });
}

/** For every index of an axis the index that comes to stand there: the copies of a channel in their order (gate by gate). */
function sourcesOf(channels: Int32Array, from: (channel: number) => number): number[] {
  const places = placesOf(channels);
  const out = Array.from(channels, (_, i) => i);
  for (const [channel, own] of places) {
    const sources = places.get(from(channel))!;
    own.forEach((place, k) => {
      out[place] = sources[k]!;
    });
  }
  return out;
}

/** Where each channel stands on an axis; what belongs to none is left out. */
export function placesOf(channels: ArrayLike<number>): Map<number, number[]> {
  const places = new Map<number, number[]>();
  for (let i = 0; i < channels.length; i++) {
    const channel = channels[i]!;
    if (channel < 0) continue;
    const own = places.get(channel);
    if (own) own.push(i);
    else places.set(channel, [i]);
  }
  return places;
}

/**
 * Sets of channels that may change places: the same weights and values hold them, as many times and at the same distances, nobody
 * outside the model sees them, and no codes or removed blocks lie by them.
 */
export function exchangeable(model: Model, map: UnitMap): number[][] {
  const axesOf = (name: string) => [map.axis(name, 0), map.axis(name, 1)];
  const fixed = new Set(
    Object.entries(model.weights).flatMap(([name, { encoding, sparsity }]) =>
      encoding.kind === 'dense' && !sparsity ? [] : axesOf(name).flatMap((channels) => [...(channels ?? [])]),
    ),
  );
  const axes = [
    ...Object.keys(model.weights).flatMap(axesOf),
    ...Object.entries(model.graphs).flatMap(([graph, { nodes }]) =>
      nodes.flatMap(({ outputs }) => Object.values(outputs).map((value) => map.value(graph, value))),
    ),
  ];
  const kinds = new Map<number, string[]>();
  axes.forEach((channels, axis) => {
    for (const [channel, places] of placesOf(channels ?? [])) {
      const kind = `${axis}: ${places.map((place) => place - places[0]!).join()}`;
      kinds.set(channel, [...(kinds.get(channel) ?? []), kind]);
    }
  });
  const sets = new Map<string, number[]>();
  for (const [channel, kind] of kinds) {
    if (fixed.has(channel) || map.reasonFor(channel) !== undefined) continue;
    const key = kind.join('; ');
    sets.set(key, [...(sets.get(key) ?? []), channel]);
  }
  return [...sets.values()].filter(({ length }) => length > 1);
}
