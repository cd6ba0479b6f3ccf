import { fail, type Model, type Sparsity, sizeOf } from '@gatefold/runtime';
import { match, matricesOf, type Place, requireMatch } from '../address.ts';
import type { Settled } from './options.ts';

/** A matrix to prune. */
export interface Chosen {
  readonly place: Place;
  readonly rows: number;
  readonly columns: number;
  readonly gateRows: number;
  /** Of each gate (one entry without gates): the share to remove; undefined for gates that are left alone. */
  readonly shares: readonly (number | undefined)[];
  /** Whether its diagonal stays. */
  readonly diagonal: boolean;
}

/** A model without some of its weights, and for each matrix that was chosen which of them it keeps. */
export interface Cut {
  readonly model: Model;
  readonly sparsities: readonly Sparsity[];
}

/**
 * Which matrices, and how much of each gate.
 * @throws TARGET_EMPTY where an address, or everything, selects nothing
 */
export function chooseMatrices(model: Model, settled: Settled): { chosen: Chosen[]; left: string[] } {
  const { target, mixed, amount, diagonal } = settled;
  const places = matricesOf(model);
  const products = places.filter(({ role }) => role !== 'table');
  const sizes = products.map(({ weight }) => sizeOf(model.weights[weight]!.shape));
  const smallest = sizes.some((size) => size >= settled.smallest) ? settled.smallest : 0;
  for (const address of [...target, ...mixed.map((entry) => entry.target)]) requireMatch(address, places);
  const general = amount.kind === 'sparsity' ? amount.share : 0;
  const left: string[] = [];
  const chosen = places.flatMap((place): Chosen[] => {
    const { shape } = model.weights[place.weight]!;
    const named = (address: string, gate: string) => {
      const found = match(address, place);
      return found === 'all' || (found?.includes(gate) ?? false);
    };
    const meant = (gate: string) => target.some((address) => named(address, gate));
    const names = place.gates ?? [''];
    // A lookup costs nothing per weight, and a small matrix is the one that hurts most.
    const byDefault = target.length === 0 && place.role !== 'table' && sizeOf(shape) >= smallest;
    const shares = names.map((gate) => {
      if (!byDefault && !meant(gate)) return undefined;
      return mixed.findLast((entry) => named(entry.target, gate))?.sparsity ?? general;
    });
    if (shares.every((share) => share === undefined)) {
      if (target.length === 0) left.push(`${place.node.name}/${place.role} (${sizeOf(shape)} weights)`);
      return [];
    }
    const rows = shape[0]!;
    return [
      {
        ...{ place, rows, columns: sizeOf(shape.slice(1)), gateRows: rows / names.length, shares },
        diagonal: diagonal && place.role === 'U',
      },
    ];
  });
  if (chosen.length === 0) {
    fail('TARGET_EMPTY', 'the model has no matrices to prune', {
      place: model.name,
      found: left.join(', ') || 'none',
      hint: 'lookups are pruned only where --target names them',
    });
  }
  return { chosen, left };
}
