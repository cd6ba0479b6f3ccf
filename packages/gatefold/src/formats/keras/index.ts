import { fail, type Model, utf8Decode } from '@gatefold/runtime';
import { isZip, listZip } from '../../data/zip.ts';
import { isHdf5 } from '../hdf5/index.ts';
import { jsonHasKeys } from '../json-text.ts';
import type { ReadOptions } from '../types.ts';
import { buildModel } from './build.ts';
import { isJson, modelConfig } from './config.ts';
import { architectureVersion, type KerasFile, openHdf5Model, openZip } from './container.ts';
import { parseJson } from './json.ts';
import { newWeights } from './new-weights.ts';

/** The architecture is the model's JSON (`model.to_json()`), for files that hold weights alone. */
export type KerasOptions = Pick<ReadOptions, 'architecture' | 'name' | 'fix'>;

/** Whether the bytes can be a Keras model: HDF5, or a zip with a Keras configuration. */
export function isKeras(bytes: Uint8Array): boolean {
  return isHdf5(bytes) || isKerasZip(bytes);
}

function isKerasZip(bytes: Uint8Array): boolean {
  return isZip(bytes) && listZip(bytes).has('config.json');
}

/**
 * Reads a model of Keras 2 or 3: `.h5`, `.keras` (some of which are HDF5), or weights beside their architecture.
 * @throws FILE_*, MODEL_UNSUPPORTED naming the layer, MODEL_NO_ARCHITECTURE, MODEL_SHAPE, MODEL_VALUE
 */
export async function readKeras(bytes: Uint8Array, { architecture, ...options }: KerasOptions = {}): Promise<Model> {
  if (isHdf5(bytes)) return open(openHdf5Model(bytes, architecture), options);
  if (isZip(bytes)) return open(openZip(bytes), options);
  return fail('FILE_FORMAT', 'not a Keras file', { expected: 'HDF5 (.h5) or a zip archive (.keras)' });
}

/** Whether the bytes are the JSON of an architecture, `model.to_json()`. */
export function isKerasArchitecture(bytes: Uint8Array): boolean {
  return jsonHasKeys(bytes, 'class_name', 'config');
}

/**
 * The model of an architecture alone, its weights zero: to be initialised and trained.
 * @throws FILE_*, MODEL_UNSUPPORTED naming the layer, MODEL_VALUE
 */
export function readKerasArchitecture(bytes: Uint8Array, options: KerasOptions): Model {
  const place = 'architecture';
  const json = parseJson(utf8Decode(bytes) ?? fail('FILE_CORRUPT', 'the text is not UTF-8', { place }), place);
  // `model.to_json()` or what an HDF5 file of weights keeps beside them.
  const config = modelConfig(isJson(json) && isJson(json.model_config) ? json.model_config : json, place);
  const source = { config, version: architectureVersion(json), source: newWeights(), isNew: true };
  return buildModel(source, { format: 'keras', container: 'json' }, options);
}

function open({ container, backend, ...source }: KerasFile, options: KerasOptions): Model {
  const origin = { format: 'keras', container, ...(backend === undefined ? {} : { backend }) };
  return buildModel(source, origin, options);
}
