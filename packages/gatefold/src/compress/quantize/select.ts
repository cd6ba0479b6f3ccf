import { match, type Place, requireMatch } from '../address.ts';
import { type QuantizeOptions, type Settled, settle } from './options.ts';

/** A matrix and the settings of each of its gates (one entry without gates); undefined for gates that are left alone. */
export interface Chosen {
  readonly place: Place;
  readonly gates: readonly (Settled | undefined)[];
}

/**
 * Resolves targets and mixed settings. Gates with the same settings share one object.
 * @throws TARGET_EMPTY for an address that selects nothing
 */
export function chooseGates(places: readonly Place[], options: QuantizeOptions): Chosen[] {
  const { target: targets = [], mixed = [], ...base } = options;
  // Presets name what a model may lack with a wildcard; an address without one is meant.
  const meant = mixed.map((entry) => entry.target).filter((address) => !address.includes('*'));
  for (const address of [...targets, ...meant]) requireMatch(address, places);
  const general = settle(options);
  const special = mixed.map(({ target, ...own }) => ({ target, settled: settle({ ...base, ...own }) }));
  return places.flatMap((place) => {
    const names = place.gates ?? [''];
    const covers = (address: string, gate: string) => {
      const found = match(address, place);
      return found === 'all' || (found?.includes(gate) ?? false);
    };
    const gates = names.map((gate) => {
      const own = special.findLast(({ target }) => covers(target, gate));
      if (own) return own.settled;
      return targets.length === 0 || targets.some((address) => covers(address, gate)) ? general : undefined;
    });
    return gates.some((gate) => gate !== undefined) ? [{ place, gates }] : [];
  });
}
