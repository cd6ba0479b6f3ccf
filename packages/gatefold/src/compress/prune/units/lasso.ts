import { decode, fail, type Model } from '@gatefold/runtime';
import type { Companion } from '../../../train/index.ts';
import type { UnitMap } from './analyse.ts';
import type { Family } from './families.ts';
import { addToGroups, type GroupedWeight, groupedWeights } from './groups.ts';

/** Weights that the families' units run through; indices of other channels belong to none. */
function groupsOf(model: Model, map: UnitMap, families: readonly Family[]): GroupedWeight[] {
  const free = new Set(families.flatMap((family) => [...family.free]));
  const own = (channels: Int32Array | undefined) => channels?.map((channel) => (free.has(channel) ? channel : -1));
  return groupedWeights(model, map)
    .map((group) => ({ ...group, rows: own(group.rows), columns: own(group.columns) }))
    .filter(({ rows, columns }) => [rows, columns].some((channels) => channels?.some((channel) => channel >= 0)));
}

/**
 * The proximal step of a group lasso over hidden units ("intrinsic sparse structures", Wen et al. 2018): after every update all
 * that belongs to a unit shrinks by rate·lambda·√size towards zero, and stays there once it arrived.
 */
export function groupLasso(model: Model, map: UnitMap, families: readonly Family[], lambda: number): Companion {
  const groups = groupsOf(model, map, families);
  const sizes = new Float64Array(map.count);
  for (const group of groups) addToGroups(sizes, group, () => 1);
  const arrived = new Uint8Array(map.count);
  const afterUpdate: Companion['afterUpdate'] = (parameters, backend, { rate }) => {
    const values = new Map(parameters.trained.map(({ name, value }) => [name, value]));
    const present = groups.flatMap((group) => {
      const value = values.get(group.name);
      return value ? [{ group, value, data: backend.read(value) }] : [];
    });
    const squares = new Float64Array(map.count);
    for (const { group, data } of present) addToGroups(squares, group, (i) => data[i]! ** 2);
    const factors = squares.map((square, channel) => {
      const step = rate * lambda * Math.sqrt(sizes[channel]!);
      // The optimizer's momentum would bring back what has just vanished.
      if (sizes[channel]! > 0 && square <= step * step) arrived[channel] = 1;
      return arrived[channel] ? 0 : square === 0 ? 1 : 1 - step / Math.sqrt(square);
    });
    for (const { group, value, data } of present) {
      scale(group, data, factors);
      backend.write(value, data);
    }
  };
  return {
    afterUpdate,
    snapshot: () => new Map([['arrived', Float32Array.from(arrived)]]),
    restore: (values) => arrived.set(values.get('arrived')!),
  };
}

function scale(
  { rows, columns, height, width }: GroupedWeight,
  data: Float32Array | Float64Array,
  factors: Float64Array,
): void {
  for (let r = 0; r < height; r++) {
    const row = rows ? rows[r]! : -1;
    const rowFactor = row < 0 ? 1 : factors[row]!;
    for (let c = 0; c < width; c++) {
      const column = columns ? columns[c]! : -1;
      const columnFactor = column < 0 || column === row ? 1 : factors[column]!;
      if (rowFactor !== 1 || columnFactor !== 1) data[r * width + c]! *= rowFactor * columnFactor;
    }
  }
}

/**
 * Units of which nothing is left.
 * @throws OPTION_INVALID where these are all of a layer
 */
export function vanished(model: Model, map: UnitMap, families: readonly Family[]): ReadonlySet<number> {
  const left = new Float64Array(map.count);
  for (const group of groupsOf(model, map, families)) {
    const values = decode(model.weights[group.name]!);
    addToGroups(left, group, (i) => Math.abs(values[i]!));
  }
  for (const { name, channels, free } of families) {
    if (free.length === channels.length && free.every((channel) => left[channel] === 0)) {
      fail('OPTION_INVALID', `no unit of "${name}" is left`, { place: name, hint: 'lower the weight of the lasso' });
    }
  }
  return new Set(families.flatMap(({ free }) => free.filter((channel) => left[channel] === 0)));
}
