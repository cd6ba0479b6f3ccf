import { fail, type Model, utf8Decode } from '@gatefold/runtime';
import { jsonHasKeys } from '../json-text.ts';
import { buildModel } from '../keras/build.ts';
import { isJson, modelConfig } from '../keras/config.ts';
import { parseJson } from '../keras/json.ts';
import { parseVersion } from '../keras/version.ts';
import { flatSource } from '../keras/weight-source.ts';
import { metadataFrom, metadataKey } from '../metadata.ts';
import type { ReadOptions } from '../types.ts';
import { readManifest } from './manifest.ts';

/** Whether the bytes are the `model.json` of TensorFlow.js. */
export function isTfjs(bytes: Uint8Array): boolean {
  return jsonHasKeys(bytes, 'modelTopology') || jsonHasKeys(bytes, 'weightsManifest');
}

/**
 * Reads a layers model of TensorFlow.js (2018 to today): a Keras configuration and weights in files beside it.
 * @throws FILE_*, MODEL_UNSUPPORTED for graph models and unknown layers, MODEL_SHAPE, MODEL_VALUE
 */
export async function readTfjs(bytes: Uint8Array, { beside, ...options }: ReadOptions): Promise<Model> {
  const text = utf8Decode(bytes) ?? fail('FILE_CORRUPT', 'the text is not UTF-8', { place: 'model.json' });
  const file = parseJson(text, 'model.json');
  if (!isJson(file)) return fail('FILE_CORRUPT', 'the file holds no object', { place: 'model.json' });
  const topology = file.modelTopology;
  if (file.format === 'graph-model' || (isJson(topology) && Array.isArray(topology.node))) {
    fail('MODEL_UNSUPPORTED', 'this TensorFlow.js graph model holds a TensorFlow graph, not layers', {
      place: 'modelTopology',
      expected: 'a layers model',
      hint: 'convert the Keras model that it was made from: read its .h5 or .keras file',
    });
  }
  if (!isJson(topology)) {
    return fail('MODEL_NO_ARCHITECTURE', 'the file holds weights but no architecture', { place: 'modelTopology' });
  }
  const config = modelConfig(isJson(topology.model_config) ? topology.model_config : topology, 'modelTopology');
  const version = parseVersion(versionOf(topology) ?? '2');
  if (!beside) {
    return fail('FILE_READ', 'the weights stand in files beside this one', {
      place: 'weightsManifest',
      hint: 'give `beside`, which reads them',
    });
  }
  const arrays = await readManifest(file.weightsManifest, beside);
  const source = flatSource(arrays, config);
  const own = isJson(file.userDefinedMetadata) ? file.userDefinedMetadata[metadataKey] : undefined;
  const metadata = metadataFrom(own, 'userDefinedMetadata');
  return buildModel({ config, version, source, metadata }, { format: 'tfjs' }, options);
}

function versionOf({ keras_version: version }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof version === 'string' ? version : undefined;
}
