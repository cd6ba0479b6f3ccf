import { fail, type Model, utf8Decode, validate } from '@gatefold/runtime';
import { isZip, listZip, unzip } from '../../data/zip.ts';
import { type Hdf5File, isHdf5, openHdf5 } from '../hdf5/index.ts';
import { GraphBuilder } from './builder.ts';
import { type LayerConfig, type ModelConfig, modelConfig } from './config.ts';
import { readGraph } from './graph.ts';
import { inputPorts } from './inputs.ts';
import { NamedSupply, NumberedSupply, type Supply, Weights } from './supply.ts';

/** Bounds on what is inflated, in bytes. */
const largestText = 2 ** 26;
const largestWeights = 2 ** 31;

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
  if (!isZip(bytes)) return false;
  return listZip(bytes).has('config.json');
}

/**
 * Reads a model of Keras 2 or 3: `.h5`, `.keras` (some of which are HDF5), or weights beside their architecture.
 * @throws FILE_*, MODEL_UNSUPPORTED naming the layer, MODEL_NO_ARCHITECTURE, MODEL_SHAPE, MODEL_VALUE
 */
export async function readKeras(bytes: Uint8Array, options: KerasOptions = {}): Promise<Model> {
  if (isHdf5(bytes)) return readHdf5(openHdf5(bytes), options);
  const entries = listZip(bytes);
  const text = (name: string) => {
    const entry = entries.get(name) ?? fail('FILE_CORRUPT', 'the .keras file is incomplete', { place: name });
    return (
      utf8Decode(unzip(bytes, entry, largestText)) ?? fail('FILE_CORRUPT', 'the text is not UTF-8', { place: name })
    );
  };
  const config = modelConfig(parseJson(text('config.json'), 'config.json'), 'config.json');
  const metadata = parseJson(text('metadata.json'), 'metadata.json') as { keras_version?: unknown };
  const version = typeof metadata?.keras_version === 'string' ? metadata.keras_version : '3';
  const weights =
    entries.get('model.weights.h5') ??
    fail('FILE_CORRUPT', 'the .keras file is incomplete', { place: 'model.weights.h5' });
  const file = openHdf5(unzip(bytes, weights, largestWeights));
  return build(config, version, numbered(file), 'keras', options);
}

function readHdf5(file: Hdf5File, options: KerasOptions): Model {
  const stored = file.text('', 'model_config');
  const written =
    file.text('', 'keras_version') ??
    (file.names('').includes('model_weights') ? file.text('model_weights', 'keras_version') : undefined);
  if (stored === undefined && options.architecture === undefined) {
    const layers = file.texts('', 'layer_names');
    fail('MODEL_NO_ARCHITECTURE', 'the file holds weights but no architecture', {
      found: layers
        ? `weights of ${layers.length} layers: ${layers.slice(0, 8).join(', ')}`
        : `groups ${file.names('').slice(0, 6).join(', ')}`,
      hint: 'give the JSON of model.to_json() with --arch, or save the whole model with model.save()',
    });
  }
  const text = stored ?? options.architecture!;
  const json = parseJson(text, stored === undefined ? 'architecture' : 'model_config');
  const config = modelConfig(json, stored === undefined ? 'architecture' : 'model_config');
  const said = (json as { keras_version?: unknown }).keras_version;
  const numberedLayout = file.names('').some((name) => name === 'layers' || name === '_layer_checkpoint_dependencies');
  const version = written ?? (typeof said === 'string' ? said : isKeras3Json(json) ? '3' : '2');
  const root = file.names('').includes('model_weights') ? 'model_weights' : '';
  const supply = numberedLayout ? numbered(file) : named(file, root, config);
  return build(config, version, supply, 'hdf5', options);
}

/** Keras 3 writes the module of every class. */
function isKeras3Json(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'module' in json && 'build_config' in json;
}

interface Source {
  readonly weights: Weights;
  readonly supply: Supply;
  /** Whether an array belongs to a layer (others are of optimizers and metrics). */
  readonly belongs: (path: string) => boolean;
}

function numbered(file: Hdf5File): Source {
  const weights = new Weights(file);
  const belongs = (path: string) =>
    /^(layers|_layer_checkpoint_dependencies)\//.test(path) && !path.includes('seed_generator');
  return { weights, supply: new NumberedSupply(weights, ''), belongs };
}

/** A list of texts that Keras splits into `name0`, `name1`, … where it is too long for one attribute. */
function textList(file: Hdf5File, path: string, name: string): readonly string[] {
  const whole = file.texts(path, name);
  if (whole) return whole;
  const out: string[] = [];
  for (let i = 0; ; i++) {
    const part = file.texts(path, `${name}${i}`);
    if (!part) return out;
    out.push(...part);
  }
}

function named(file: Hdf5File, root: string, { layers }: ModelConfig): Source {
  const weights = new Weights(file);
  const at = (name: string) => (root === '' ? name : `${root}/${name}`);
  const entriesOf = ({ name }: LayerConfig) =>
    (weights.hasGroup(at(name)) ? textList(file, at(name), 'weight_names') : []).map((written) => ({
      path: `${at(name)}/${written}`,
      parts: written.replace(/:\d+$/, '').split('/'),
    }));
  const supplies = layers.map((layer) => new NamedSupply(weights, layer.name, entriesOf(layer)));
  const supply: Supply = {
    take: (name) => fail('FILE_CORRUPT', `the file lacks the weight "${name}"`),
    skip: () => {},
    part: () => supply,
    parts: () => (index) => supplies[index]!,
  };
  const belongs = (path: string) =>
    !/(^|\/)(optimizer_weights|optimizer|top_level_model_weights)(\/|$)/.test(path) &&
    (root === '' || path.startsWith(`${root}/`));
  return { weights, supply, belongs };
}

function build(config: ModelConfig, version: string, source: Source, container: string, { name }: KerasOptions): Model {
  const kerasMajor = majorVersion(version);
  const builder = new GraphBuilder();
  const ports = inputPorts(config);
  for (const port of ports) builder.addInput(port);
  const tensors = readGraph(
    { builder, kerasMajor },
    config,
    '',
    ports.map((port) => ({ value: port.name })),
    source.supply,
  );
  source.weights.checkUsed(source.belongs);
  const taken = new Set<string>();
  const outputs = tensors.map(({ value }, i) => {
    const layer = config.sequential ? config.layers.at(-1)!.name : config.outputs[i]!.layer;
    let port = layer;
    for (let n = 1; taken.has(port) || ports.some((input) => input.name === port); n++) port = `${layer}:${n}`;
    taken.add(port);
    return { name: port, value };
  });
  return validate({
    name: name ?? config.name,
    graphs: { main: builder.graph(outputs) },
    weights: builder.weights,
    metadata: {},
    origin: { format: 'keras', container, kerasVersion: version },
  });
}

function majorVersion(version: string): number {
  const major = Number(/^(\d+)/.exec(version)?.[1]);
  if (major !== 2 && major !== 3) {
    fail('MODEL_UNSUPPORTED', `files of Keras ${version.slice(0, 40)} are not read`, {
      place: 'keras_version',
      expected: '2.x or 3.x',
      hint: 'load the model in Keras 2.0 to 2.3, which converts it, and save it again',
    });
  }
  return major;
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail('FILE_CORRUPT', 'the configuration is not JSON', {
      place,
      found: error instanceof Error ? error.message : String(error),
    });
  }
}
