import { fail, type Model } from '@gatefold/runtime';
import { parseJson } from './keras/json.ts';

/** Where formats that leave room for others' data keep the model's metadata (vocabulary, classes, recipes). */
export const metadataKey = 'gatefold';

/** The metadata as one entry, where there are any. */
export function metadataEntry({ metadata }: Model): Record<string, unknown> {
  return Object.keys(metadata).length === 0 ? {} : { [metadataKey]: metadata };
}

/** The metadata of an entry, from JSON or its text. @throws FILE_CORRUPT where it is no object */
export function metadataFrom(entry: unknown, place: string): Model['metadata'] {
  if (entry === undefined) return {};
  const value = typeof entry === 'string' ? parseJson(entry, place) : entry;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail('FILE_CORRUPT', 'the metadata are no object', { place });
  }
  return value as Model['metadata'];
}
