import { fail, type Model } from '@gatefold/runtime';
import { isZip, listZip } from '../../data/zip.ts';
import { isHdf5 } from '../hdf5/index.ts';
import { buildModel } from './build.ts';
import { type KerasFile, openHdf5Model, openZip } from './container.ts';

export interface KerasOptions {
  /** The model's JSON (`model.to_json()`), for files that hold weights alone. */
  readonly architecture?: string;
  readonly name?: string;
}

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
export async function readKeras(bytes: Uint8Array, { architecture, name }: KerasOptions = {}): Promise<Model> {
  if (isHdf5(bytes)) return open(openHdf5Model(bytes, architecture), name);
  if (isZip(bytes)) return open(openZip(bytes), name);
  return fail('FILE_FORMAT', 'not a Keras file', { expected: 'HDF5 (.h5) or a zip archive (.keras)' });
}

function open({ container, backend, ...source }: KerasFile, name: string | undefined): Model {
  const origin = { format: 'keras', container, ...(backend === undefined ? {} : { backend }) };
  return buildModel(source, origin, name);
}
