import {
  decode,
  denseWeight,
  fail,
  graphOf,
  type Model,
  type Node,
  sizeOf,
  validate,
  type Weight,
} from '@gatefold/runtime';
import { gateMatrix, gateRows, kerasGates } from '../gates.ts';
import { openHdf5 } from '../hdf5/index.ts';
import type { LentModel } from '../types.ts';
import { transposed } from './layer.ts';
import { type FileArray, Weights } from './supply.ts';
import { textList } from './weight-source.ts';

/** A layer of the file: its arrays by Keras' names for them. */
interface FileLayer {
  readonly name: string;
  readonly arrays: ReadonlyMap<string, FileArray>;
}

/** Nodes that one layer of Keras gives weights to. */
interface Place {
  readonly node: Node;
  /** The weights of the nodes by role. */
  readonly weights: Readonly<Record<string, string>>;
}

/** A weight as Gatefold has it, read when it is wanted. */
interface Offer {
  readonly shape: readonly number[];
  readonly read: () => Float32Array;
}
type Offers = Readonly<Record<string, Offer>>;

/**
 * A model with the weights of a Keras file of weights (`.h5` of `save_weights` or `save`), which are taken by name: each layer of
 * the graph from the layer of its name or, where the names differ (Keras numbers them anew in every session), all of them in order
 * from the one run of layers that fits by kinds and shapes. A file may hold more layers than the graph.
 * @throws FILE_*, MODEL_UNSUPPORTED for layers that have no such names, MODEL_SHAPE where nothing or more than one thing fits
 */
export function lendWeights(bytes: Uint8Array, model: Model): LentModel {
  const { graph } = graphOf(model);
  const layers = layersOf(bytes);
  const places = placesOf(graph.nodes);
  const chosen = byName(model, places, layers) ?? inOrder(model, places, layers);
  const weights: Record<string, Weight> = { ...model.weights };
  places.forEach((place, i) => {
    for (const [role, { shape, read }] of Object.entries(given(model, place, chosen[i]!)!)) {
      const data = read();
      const odd = data.findIndex((value) => !Number.isFinite(value));
      if (odd >= 0) fail('MODEL_VALUE', 'a weight is not finite', { place: `${chosen[i]!.name}/${role}[${odd}]` });
      weights[place.weights[role]!] = denseWeight(shape, data);
    }
  });
  return {
    model: validate({ ...model, weights }),
    taken: places.map(({ node }, i) => ({ node: node.name, layer: chosen[i]!.name })),
  };
}

function layersOf(bytes: Uint8Array): FileLayer[] {
  const file = openHdf5(bytes);
  const root = file.hasGroup('model_weights') ? 'model_weights' : '';
  const { arrays } = new Weights(file.arrays(root));
  const order = textList(file, root, 'layer_names');
  if (order.length === 0) {
    fail('MODEL_UNSUPPORTED', 'the weights of this file have numbers instead of names', {
      expected: 'an .h5 of Keras 2, or of save_weights in its format',
    });
  }
  return order.flatMap((name) => {
    const within = `${root === '' ? '' : `${root}/`}${name}/`;
    const own = [...arrays].filter(([path]) => path.startsWith(within));
    const sides = ['forward', 'backward'].map((side) => ({
      name: `${name}/${side}`,
      own: own.filter(([path]) => path.includes(`/${side}_`)),
    }));
    const parts = sides.every((side) => side.own.length > 0) ? sides : [{ name, own }];
    return parts.flatMap((part) => {
      const named = part.own.map(([path, array]): [string, FileArray] => [lastOf(path), array]);
      // Layers within layers repeat names.
      const isPlain = new Set(named.map(([last]) => last)).size === named.length;
      return named.length > 0 && isPlain ? [{ name: part.name, arrays: new Map(named) }] : [];
    });
  });
}

const lastOf = (path: string) => path.slice(path.lastIndexOf('/') + 1).replace(/:\d+$/, '');

/** Nodes with weights in order; scale and shift behind each other are one layer's gamma and beta. */
function placesOf(nodes: readonly Node[]): Place[] {
  const out: Place[] = [];
  const seen = new Set<string>();
  for (const node of nodes) {
    const { op, weights } = node;
    const last = out.at(-1);
    // Layers that are called again have their weights already.
    if (Object.values(weights).every((name) => seen.has(name))) continue;
    for (const name of Object.values(weights)) seen.add(name);
    const isPart = op === 'scaleShift' && last?.node.op === 'scaleShift' && !sharesRole(last.weights, weights);
    if (isPart) out[out.length - 1] = { node: last.node, weights: { ...last.weights, ...weights } };
    else out.push({ node, weights });
  }
  return out;
}

const sharesRole = (a: Place['weights'], b: Place['weights']) => Object.keys(a).some((role) => role in b);

/** The layers named as the nodes are, where there is one for each. */
function byName(model: Model, places: readonly Place[], layers: readonly FileLayer[]): FileLayer[] | undefined {
  const found = places.map((place) => {
    const words = new Set(place.node.name.split(/[/;:]/));
    const isOwn = ({ name }: FileLayer) => words.has(name) || place.node.name === name;
    const own = layers.filter((layer) => isOwn(layer) && given(model, place, layer));
    return own.length === 1 ? own[0]! : undefined;
  });
  return found.every((layer) => layer !== undefined) && new Set(found).size === found.length ? found : undefined;
}

function inOrder(model: Model, places: readonly Place[], layers: readonly FileLayer[]): FileLayer[] {
  const runs = layers.flatMap((_, from) => {
    const run = layers.slice(from, from + places.length);
    return run.length === places.length && run.every((layer, i) => given(model, places[i]!, layer)) ? [run] : [];
  });
  if (runs.length === 1) return runs[0]!;
  const shown = (names: readonly string[]) => names.join(', ').slice(0, 300);
  return fail('MODEL_SHAPE', `${runs.length === 0 ? 'no' : 'more than one'} run of layers in the file fits the graph`, {
    expected: shown(places.map(({ node }) => node.name)),
    found: shown((runs.length === 0 ? layers : runs.map(([first]) => first!)).map(({ name }) => name)),
  });
}

/** What a layer gives to a place by role; undefined where its arrays are others, or of other shapes. */
function given(model: Model, { node, weights }: Place, { arrays }: FileLayer): Offers | undefined {
  const offers = node.op === 'recurrent' ? ofCell(node, arrays) : ofLayer(node, arrays);
  const fits = ([role, { shape }]: [string, Offer]) =>
    weights[role] !== undefined && model.weights[weights[role]]!.shape.join() === shape.join();
  if (!offers || !Object.entries(offers).every(fits)) return undefined;
  // Converters add biases of zeros that Keras' layers do not have.
  const missing = Object.entries(weights).filter(([role]) => !(role in offers));
  const isIdle = missing.every(([role, name]) => role === 'bias' && decode(model.weights[name]!).every((n) => n === 0));
  return isIdle ? offers : undefined;
}

function ofCell({ attributes }: Node, arrays: FileLayer['arrays']): Offers | undefined {
  const order = kerasGates[attributes.cell as keyof typeof kerasGates];
  const [kernel, recurrent, bias] = ['kernel', 'recurrent_kernel', 'bias'].map((name) => arrays.get(name));
  const units = Number(attributes.units);
  const rows = (order?.length ?? 0) * units;
  const isMatrix = (array: FileArray | undefined) => array?.shape.length === 2 && array.shape[1] === rows;
  if (!order || !kernel || !recurrent || !isMatrix(kernel) || !isMatrix(recurrent)) return undefined;
  if (arrays.size !== (bias ? 3 : 2)) return undefined;
  const matrix = (array: FileArray): Offer => ({
    shape: [rows, array.shape[0]!],
    read: () => gateMatrix({ shape: array.shape, data: array.read() }, order, units).data,
  });
  // A GRU that resets after the product has two biases; CuDNN's layers have two in one row, and other matrices.
  const roles = attributes.resetAfter === true ? ['b', 'bR'] : ['b'];
  const shape = roles.length > 1 ? [2, rows] : [rows];
  if (bias && bias.shape.join() !== shape.join()) return undefined;
  const vector = (i: number): Offer => ({
    shape: [rows],
    read: () => gateRows({ shape: [rows], data: bias!.read().subarray(i * rows, (i + 1) * rows) }, order, units).data,
  });
  const biases = bias ? roles.map((role, i): [string, Offer] => [role, vector(i)]) : [];
  return { W: matrix(kernel), U: matrix(recurrent), ...Object.fromEntries(biases) };
}

/** Keras' names for the weights of a node, by role. */
const names: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  dense: { kernel: 'kernel', bias: 'bias' },
  conv1d: { kernel: 'kernel', bias: 'bias' },
  embedding: { table: 'embeddings' },
  scaleShift: { scale: 'gamma', shift: 'beta' },
  normalization: { gamma: 'gamma', beta: 'beta' },
};

function ofLayer({ op }: Node, arrays: FileLayer['arrays']): Offers | undefined {
  const known = Object.entries(names[op] ?? {}).filter(([, name]) => arrays.has(name));
  if (known.length === 0 || known.length !== arrays.size) return undefined;
  return Object.fromEntries(
    known.map(([role, name]): [string, Offer] => {
      const array = arrays.get(name)!;
      return [role, role === 'kernel' ? turned(array) : { shape: array.shape, read: () => array.read() }];
    }),
  );
}

/** A kernel [window…, inputs, outputs] as [outputs, window·inputs]. */
function turned(array: FileArray): Offer {
  const columns = array.shape.at(-1)!;
  const rows = sizeOf(array.shape.slice(0, -1));
  return { shape: [columns, rows], read: () => transposed({ shape: [rows, columns], data: array.read() }).data };
}
