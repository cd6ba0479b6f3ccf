import { GatefoldError } from '@gatefold/runtime';
import { mutate, mutateJson } from './mutate.mjs';

/** A changed copy of a seed: of the file itself or, where there are files beside it, sometimes of one of them. */
export function mutant(origin, seeds, random) {
  const { bytes, beside } = origin;
  const others = seeds.map((other) => other.bytes);
  const files = beside && new Map(beside);
  const changesBeside = files && random() < 0.3;
  if (changesBeside) {
    const names = [...files.keys()];
    const name = names[Math.floor(random() * names.length)];
    files.set(name, mutate(files.get(name), [...files.values()], random));
  }
  const changed = changesBeside
    ? bytes
    : ((random() < 0.8 ? mutateJson(bytes, random) : undefined) ?? mutate(bytes, others, random));
  return { bytes: changed, ...(files ? { beside: (path) => read(files, path) } : {}) };
}

async function read(files, path) {
  const found = files.get(path);
  if (!found) throw new GatefoldError('FILE_READ', 'no such file', { place: path });
  return found;
}
