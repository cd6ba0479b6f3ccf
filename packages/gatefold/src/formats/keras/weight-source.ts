import { fail } from '@gatefold/runtime';
import type { Hdf5File } from '../hdf5/index.ts';
import { isJson, isModelClass, type LayerConfig, layerConfig, type ModelConfig, modelConfig } from './config.ts';
import { type FileArray, type NamedArray, NamedSupply, NumberedSupply, type Supply, Weights } from './supply.ts';

/** The weights of a file as the outermost model takes them. */
export interface WeightSource {
  readonly supply: Supply;
  /** @throws FILE_UNUSED where a layer's weight was not taken */
  checkUsed(): void;
}

/** The layout of Keras 3: `layers/lstm/cell/vars/0`. */
export function numberedSource(file: Hdf5File): WeightSource {
  return numbered(new Weights(file.arrays(''), (group) => file.text(group, 'name')));
}

function numbered(weights: Weights): WeightSource {
  // Others are of optimizers and metrics, or states of random generators.
  const belongs = (path: string) =>
    /^(layers|_layer_checkpoint_dependencies|vars)\//.test(path) && !path.includes('seed_generator');
  return { supply: new NumberedSupply(weights, ''), checkUsed: () => weights.checkUsed(belongs) };
}

/** The layout of Keras 2: a group per layer of the outermost model, with the names of its weights in order. */
export function namedSource(file: Hdf5File, root: string, { layers }: ModelConfig): WeightSource {
  const weights = new Weights(file.arrays(root));
  const at = (name: string) => (root === '' ? name : `${root}/${name}`);
  const groups = groupsOf(file, root, layers).map((group) => (group === undefined ? [] : entriesOf(file, at(group))));
  const belongs = (path: string) => !/^optimizer_weights\//.test(path);
  return sourceOf(weights, layers, groups, belongs);
}

/** A source whose layers' weights are known in order. */
function sourceOf(
  weights: Weights,
  layers: readonly LayerConfig[],
  groups: readonly (readonly NamedArray[])[],
  belongs: (path: string) => boolean,
): WeightSource {
  const supplies = layers.map((layer, i) => new NamedSupply(weights, layer.name, groups[i]!));
  const supply: Supply = {
    take: (_, name) => fail('FILE_CORRUPT', `the file lacks the weight "${name}"`),
    skip: () => {},
    part: () => supply,
    parts: () => (index) => supplies[index]!,
  };
  return { supply, checkUsed: () => weights.checkUsed(belongs) };
}

/**
 * Arrays without groups, named after their layers: `lstm/kernel`, or numbered as Keras 3 does. The name of a model that
 * stands as a layer need not be part of the names of its weights.
 */
export function flatSource(arrays: ReadonlyMap<string, FileArray>, { layers }: ModelConfig): WeightSource {
  const weights = new Weights(arrays);
  if ([...arrays.keys()].some((path) => /(^|\/)vars\/\d+$/.test(path))) return numbered(weights);
  const entries = [...weights.arrays.keys()].map(namedArray);
  const outer = new Set(layers.map(({ name }) => name));
  const groups = layers.map((layer) => {
    const own = entries.filter(({ parts }) => parts[0] === layer.name && parts.length > 1);
    if (own.length > 0) return own;
    const names = namesWithin(layer);
    return entries.filter(({ parts }) => !outer.has(parts[0]!) && parts.slice(0, -1).some((part) => names.has(part)));
  });
  return sourceOf(weights, layers, groups, () => true);
}

/** The name of a layer and those of the layers inside it. */
function namesWithin({ name, className, source, config }: LayerConfig): Set<string> {
  const inner = isModelClass(className)
    ? modelConfig(source, name).layers
    : isJson(config.layer)
      ? [layerConfig(config.layer, name)]
      : [];
  return new Set([name, ...inner.flatMap((layer) => [...namesWithin(layer)])]);
}

/** TensorFlow ends the names of variables in ":0". */
function namedArray(path: string): NamedArray {
  return { path, parts: path.replace(/:\d+$/, '').split('/') };
}

/** The names and paths of the weights of a layer's group. */
function entriesOf(file: Hdf5File, group: string): NamedArray[] {
  return textList(file, group, 'weight_names').map((written) => ({
    ...namedArray(written),
    path: `${group}/${written}`,
  }));
}

/** A list of texts that Keras splits into `name0`, `name1`, … where it is too long for one attribute. */
export function textList(file: Hdf5File, path: string, name: string): readonly string[] {
  const whole = file.texts(path, name);
  if (whole) return whole;
  const out: string[] = [];
  for (let i = 0; ; i++) {
    const part = file.texts(path, `${name}${i}`);
    if (!part) return out;
    out.push(...part);
  }
}

/** Layers that never have weights, so that they do not count where groups are matched by order. */
const weightless =
  /^(InputLayer|Masking|Activation|ReLU|LeakyReLU|ELU|ThresholdedReLU|Softmax|Flatten|Reshape|Permute|RepeatVector|Identity|Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|Rescaling|UnitNormalization|.*(Dropout|Dropout1D|Noise|Regularization|Pooling1D|Pool1D|Padding1D|Cropping1D|UpSampling1D))$/;

/** The group of every layer: by its name or, as Keras does it for weights from elsewhere, by its place in the list. */
function groupsOf(file: Hdf5File, root: string, layers: readonly LayerConfig[]): (string | undefined)[] {
  const at = (name: string) => (root === '' ? name : `${root}/${name}`);
  const written = textList(file, root, 'layer_names').filter(
    (name) => textList(file, at(name), 'weight_names').length > 0,
  );
  const known = new Set(layers.map(({ name }) => name));
  if (written.every((name) => known.has(name))) {
    const filled = new Set(written);
    return layers.map(({ name }) => (filled.has(name) ? name : undefined));
  }
  const weighty = layers.filter(({ className, isOperation }) => !isOperation && !weightless.test(className));
  if (weighty.length !== written.length) {
    fail('FILE_UNUSED', 'the file holds weights of layers that the architecture does not have', {
      place: written.find((name) => !known.has(name))!,
      expected: weighty
        .map(({ name }) => name)
        .join(', ')
        .slice(0, 400),
      found: written.join(', ').slice(0, 400),
    });
  }
  return layers.map((layer) => written[weighty.indexOf(layer)]);
}
