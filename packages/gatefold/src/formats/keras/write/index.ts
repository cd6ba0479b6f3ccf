import type { Model } from '@gatefold/runtime';
import { strToU8, zipSync } from 'fflate';
import { Hdf5Builder } from '../../hdf5/write.ts';
import { metadataEntry } from '../../metadata.ts';
import type { WrittenModel } from '../../types.ts';
import { countedKeys } from '../supply.ts';
import { modelJson } from './config.ts';
import { layersOf } from './layers.ts';
import type { LayerWeight, WrittenLayer } from './types.ts';

/** The versions of Keras whose files are written. */
const versions = { keras2: '2.15.0', keras3: '3.9.2' } as const;

/**
 * Writes a model as Keras 2.15 does, `.h5`: Keras 2 and 3 load it.
 * @throws MODEL_UNSUPPORTED naming the node that Keras has no layer for
 */
export async function writeKerasH5(model: Model): Promise<WrittenModel> {
  const written = layersOf(model, 'keras2');
  const file = new Hdf5Builder();
  const root = 'model_weights';
  const about = { backend: 'tensorflow', keras_version: versions.keras2 };
  for (const path of ['', root]) for (const [name, value] of Object.entries(about)) file.attribute(path, name, value);
  file.attribute('', 'model_config', JSON.stringify(modelJson(written, 'keras2')));
  for (const [name, value] of Object.entries(metadataEntry(model))) file.attribute('', name, JSON.stringify(value));
  file.attribute(
    root,
    'layer_names',
    written.layers.map(({ name }) => name),
  );
  for (const layer of written.layers) {
    const names = layer.weights.map((weight) => variableName(layer, weight));
    file.attribute(`${root}/${layer.name}`, 'weight_names', names);
    layer.weights.forEach(({ shape, data }, i) => {
      file.array(`${root}/${layer.name}/${names[i]}`, shape, data);
    });
  }
  return { bytes: file.write(), notes: written.notes };
}

/** `lstm/lstm_cell/kernel:0`, as TensorFlow names variables. */
function variableName({ name, inner, className }: WrittenLayer, weight: LayerWeight): string {
  const cell = `${(inner?.className ?? className).toLowerCase()}_cell`;
  const parts = weight.within.map((part) =>
    part === 'cell' ? cell : `${part === 'forward_layer' ? 'forward' : 'backward'}_${inner!.name}`,
  );
  return `${[name, ...parts, weight.name].join('/')}:0`;
}

/**
 * Writes a model as Keras 3 does, `.keras`: a zip of its configuration and its weights.
 * @throws MODEL_UNSUPPORTED naming the node that Keras has no layer for
 */
export async function writeKerasZip(model: Model): Promise<WrittenModel> {
  const written = layersOf(model, 'keras3');
  const file = new Hdf5Builder();
  const keys = countedKeys(
    written.layers.map(({ className, operation }) => ({ className, isOperation: operation !== undefined })),
  );
  file.group('layers');
  written.layers.forEach(({ weights }, i) => {
    const counts = new Map<string, number>();
    for (const { within, shape, data } of weights) {
      const group = ['layers', keys[i]!, ...within, 'vars'].join('/');
      const next = counts.get(group) ?? 0;
      counts.set(group, next + 1);
      file.array(`${group}/${next}`, shape, data);
    }
  });
  const about = { keras_version: versions.keras3, date_saved: '1980-01-01@00:00:00', ...metadataEntry(model) };
  const members = {
    'metadata.json': strToU8(JSON.stringify(about)),
    'config.json': strToU8(JSON.stringify(modelJson(written, 'keras3'))),
    'model.weights.h5': file.write(),
  };
  // As Keras does, without compression; and the same bytes for the same model.
  return { bytes: zipSync(members, { level: 0, mtime: new Date(1980, 0, 1) }), notes: written.notes };
}
