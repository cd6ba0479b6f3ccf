import { fail, utf8Decode } from '@gatefold/runtime';
import { listZip, unzip } from '../../data/zip.ts';
import { type Hdf5File, openHdf5 } from '../hdf5/index.ts';
import { metadataFrom, metadataKey } from '../metadata.ts';
import type { KerasSource } from './build.ts';
import { modelConfig } from './config.ts';
import { parseJson } from './json.ts';
import { type KerasVersion, parseVersion } from './version.ts';
import { namedSource, numberedSource } from './weight-source.ts';

/** Bounds on what is inflated, in bytes. */
const largestText = 2 ** 26;
const largestWeights = 2 ** 31;

/** What a Keras file holds, in whatever container. */
export interface KerasFile extends KerasSource {
  readonly container: 'hdf5' | 'keras';
  readonly backend: string | undefined;
}

/** Opens a `.keras` archive: configuration, version and weights are members of a zip. */
export function openZip(bytes: Uint8Array): KerasFile {
  const entries = listZip(bytes);
  const member = (name: string) =>
    entries.get(name) ?? fail('FILE_CORRUPT', 'the .keras file is incomplete', { place: name });
  const json = (name: string) => {
    const text = utf8Decode(unzip(bytes, member(name), largestText));
    return parseJson(text ?? fail('FILE_CORRUPT', 'the text is not UTF-8', { place: name }), name);
  };
  if (entries.has('model.weights.json')) {
    const hint = 'save it without max_shard_size';
    fail('MODEL_UNSUPPORTED', 'the weights are split into several files', { place: 'model.weights.json', hint });
  }
  const about = json('metadata.json');
  const version = parseVersion(textIn(about, 'keras_version') ?? '3');
  const config = modelConfig(json('config.json'), 'config.json');
  const file = openHdf5(unzip(bytes, member('model.weights.h5'), largestWeights));
  const own = typeof about === 'object' && about !== null && Object.hasOwn(about, metadataKey);
  const metadata = metadataFrom(own ? (about as Record<string, unknown>)[metadataKey] : undefined, 'metadata.json');
  return { container: 'keras', config, version, backend: undefined, source: numberedSource(file), metadata };
}

/** Opens an HDF5 file: a whole model, or weights with the text of an architecture beside them. */
export function openHdf5Model(bytes: Uint8Array, architecture: string | undefined): KerasFile {
  const file = openHdf5(bytes);
  const root = file.hasGroup('model_weights') ? 'model_weights' : '';
  const isNumbered = root === '' && (file.hasGroup('layers') || file.hasGroup('_layer_checkpoint_dependencies'));
  const stored = file.text('', 'model_config');
  if (stored === undefined && architecture === undefined) refuseWeights(file, isNumbered);
  const place = stored === undefined ? 'architecture' : 'model_config';
  const json = parseJson(stored ?? architecture!, place);
  const written = ['', root].map((group) => file.text(group, 'keras_version')).find((text) => text !== undefined);
  const version = architectureVersion(json, written);
  const backend = ['', root].map((group) => file.text(group, 'backend')).find((text) => text !== undefined);
  const config = modelConfig(json, place);
  const source = isNumbered ? numberedSource(file) : namedSource(file, root, config);
  const metadata = metadataFrom(file.text('', metadataKey), metadataKey);
  return { container: 'hdf5', config, version, backend, source, metadata };
}

function refuseWeights(file: Hdf5File, isNumbered: boolean): never {
  const layers = file.texts('', 'layer_names');
  if (!layers && !isNumbered) {
    fail('FILE_FORMAT', 'the HDF5 file is no Keras model', {
      expected: 'an attribute "model_config", or groups of weights',
      found: file.names('').slice(0, 8).join(', ') || 'nothing',
    });
  }
  fail('MODEL_NO_ARCHITECTURE', 'the file holds weights but no architecture', {
    found: layers
      ? `weights of ${layers.length} layers: ${layers.slice(0, 8).join(', ')}`
      : 'numbered weights of Keras 3',
    hint: 'give the JSON of model.to_json() with --arch, or save the whole model with model.save()',
  });
}

/** The Keras that an architecture's JSON is of, unless the file around it says so (`written`). @throws MODEL_UNSUPPORTED */
export function architectureVersion(json: unknown, written?: string): KerasVersion {
  return parseVersion(written ?? textIn(json, 'keras_version') ?? (isKeras3(json) ? '3' : '2'));
}

/** Keras 3 writes the module of every class. */
function isKeras3(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'module' in json;
}

function textIn(json: unknown, key: string): string | undefined {
  if (typeof json !== 'object' || json === null || !Object.hasOwn(json, key)) return undefined;
  const value = (json as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : undefined;
}
