import { fail } from '@gatefold/runtime';
import { matchesTail } from '../../address.ts';
import { removable, type UnitLayer, type UnitMap } from './analyse.ts';

/** Layers whose units are tied: they lose units together. */
export interface Family {
  /** The address of the first layer. */
  readonly name: string;
  readonly layers: readonly UnitLayer[];
  /** All units, each channel once. */
  readonly channels: readonly number[];
  /** Those that may be removed. */
  readonly free: readonly number[];
}

/** Layers that are asked for, and why some of them cannot lose units. */
export interface Selection {
  readonly families: readonly Family[];
  readonly refused: readonly { readonly address: string; readonly reason: string }[];
}

/**
 * The layers that addresses name (without any: all recurrent layers), tied ones together. Addresses are matched from the right:
 * `encoder/lstm`, `lstm_*`, `lstm/output` for a projection's outputs.
 * @throws TARGET_EMPTY where an address names nothing, or where nothing that is named can lose units
 */
export function selectFamilies(map: UnitMap, targets: readonly string[]): Selection {
  const named = (layer: UnitLayer, address: string) =>
    matchesTail(address, layer.node.name.split('/')) ||
    matchesTail(address, [...layer.node.name.split('/'), layer.axis]);
  const all = map.layers.map((layer) => layer.address).join(', ');
  for (const address of targets) {
    if (map.layers.some((layer) => named(layer, address))) continue;
    fail('TARGET_EMPTY', `no layer matches "${address}"`, {
      expected: all || 'a model with layers',
      hint: 'addresses are names of layers, matched from the right, with * as a wildcard',
    });
  }
  const layers = map.layers.filter((layer) =>
    targets.length === 0 ? layer.node.op === 'recurrent' : targets.some((address) => named(layer, address)),
  );
  const refused = layers.flatMap((layer) => {
    const { reason } = removable(map, layer);
    return reason === undefined ? [] : [{ address: layer.address, reason }];
  });
  const families = tied(layers.filter((layer) => removable(map, layer).reason === undefined)).map((members): Family => {
    const channels = [...new Set(members.flatMap((layer) => layer.channels))];
    const free = channels.filter((channel) => map.reasonFor(channel) === undefined);
    return { name: members[0]!.address, layers: members, channels, free };
  });
  if (families.length === 0) {
    fail('TARGET_EMPTY', 'no layer can lose units', {
      expected: 'a layer whose units stay inside the model',
      found: refused.map(({ address, reason }) => `${address}: ${reason}`).join('; ') || `no recurrent layer: ${all}`,
      hint: 'name layers of other kinds with --target',
    });
  }
  return { families, refused };
}

/** Layers in sets that share channels. */
function tied(layers: readonly UnitLayer[]): UnitLayer[][] {
  const sets: { layers: UnitLayer[]; channels: Set<number> }[] = [];
  for (const layer of layers) {
    const touching = sets.filter(({ channels }) => layer.channels.some((channel) => channels.has(channel)));
    const merged = {
      layers: [...touching.flatMap((set) => set.layers), layer],
      channels: new Set([...touching.flatMap((set) => [...set.channels]), ...layer.channels]),
    };
    for (const set of touching) sets.splice(sets.indexOf(set), 1);
    sets.push(merged);
  }
  return sets.map((set) => set.layers);
}
