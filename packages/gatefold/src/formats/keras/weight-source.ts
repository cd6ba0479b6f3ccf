import { fail } from '@gatefold/runtime';
import type { Hdf5File } from '../hdf5/index.ts';
import type { LayerConfig, ModelConfig } from './config.ts';
import { type NamedArray, NamedSupply, NumberedSupply, type Supply, Weights } from './supply.ts';

/** The weights of a file as the outermost model takes them. */
export interface WeightSource {
  readonly supply: Supply;
  /** @throws FILE_UNUSED where a layer's weight was not taken */
  checkUsed(): void;
}

/** The layout of Keras 3: `layers/lstm/cell/vars/0`. */
export function numberedSource(file: Hdf5File): WeightSource {
  const weights = new Weights(file);
  // Others are of optimizers and metrics, or states of random generators.
  const belongs = (path: string) =>
    /^(layers|_layer_checkpoint_dependencies|vars)\//.test(path) && !path.includes('seed_generator');
  return { supply: new NumberedSupply(weights, ''), checkUsed: () => weights.checkUsed(belongs) };
}

/** The layout of Keras 2: a group per layer of the outermost model, with the names of its weights in order. */
export function namedSource(file: Hdf5File, root: string, { layers }: ModelConfig): WeightSource {
  const weights = new Weights(file, root);
  const at = (name: string) => (root === '' ? name : `${root}/${name}`);
  const groups = groupsOf(file, root, layers).map((group) => (group === undefined ? [] : entriesOf(file, at(group))));
  const supplies = layers.map((layer, i) => new NamedSupply(weights, layer.name, groups[i]!));
  const supply: Supply = {
    take: (name) => fail('FILE_CORRUPT', `the file lacks the weight "${name}"`),
    skip: () => {},
    part: () => supply,
    parts: () => (index) => supplies[index]!,
  };
  const belongs = (path: string) => !/^optimizer_weights\//.test(path);
  return { supply, checkUsed: () => weights.checkUsed(belongs) };
}

/** The names and paths of the weights of a layer's group. */
function entriesOf(file: Hdf5File, group: string): NamedArray[] {
  return textList(file, group, 'weight_names').map((written) => ({
    path: `${group}/${written}`,
    parts: written.replace(/:\d+$/, '').split('/'),
  }));
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
