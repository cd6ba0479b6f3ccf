import { type Dim, fail, type Model, type Port, validate } from '@gatefold/runtime';
import { GraphBuilder } from '../graph-builder.ts';
import type { Architecture, ArchitectureLayer } from './architecture.ts';
import { type LayerScene, layers } from './layers.ts';
import { addRecurrent, type RecurrentResult } from './recurrent.ts';
import { Supply } from './supply.ts';
import type { StateDict } from './types.ts';

/** What is known of a file beside its tensors; becomes part of `origin`. */
export interface BuildOptions {
  readonly name: string;
  readonly format: string;
  readonly container: string;
  /** Numbers that may be read in all. */
  readonly limit: number;
  /** Whether a person wrote the architecture. */
  readonly isDescribed: boolean;
  /** What was taken for granted, in sentences for people. */
  readonly assumptions: readonly string[];
}

/** Names of layers without the folders that wrappers put around every key. */
function plainName(layer: ArchitectureLayer): string {
  if (layer.name !== undefined) return layer.name;
  const path = 'weights' in layer ? layer.weights.replace(/^((module|model|_orig_mod|net|network)\.)+/, '') : '';
  return path === '' ? layer.type : path;
}

function portOf({ input }: Architecture): Port {
  const { name = 'input', features, ids = false, steps, time = true } = input;
  if (ids === (features !== undefined)) {
    fail('OPTION_INVALID', 'the input is either features or ids', { place: '--arch: input' });
  }
  const rows: Dim[] = time ? [steps ?? 'time'] : [];
  return ids
    ? { name, shape: ['batch', ...(time ? rows : [1])], dtype: 'int32' }
    : { name, shape: ['batch', ...rows, features!], dtype: 'float32' };
}

/**
 * Makes the network that an architecture describes out of the tensors of a state dict.
 * @throws OPTION_INVALID where the architecture contradicts itself or the file, MODEL_SHAPE, MODEL_VALUE,
 *   MODEL_UNSUPPORTED, FILE_UNUSED listing the tensors that no layer uses
 */
export function buildModel(architecture: Architecture, tensors: StateDict, options: BuildOptions): Model {
  const builder = new GraphBuilder();
  const supply = new Supply(tensors, builder, options.isDescribed ? 'OPTION_INVALID' : 'MODEL_INVALID', options.limit);
  const port = portOf(architecture);
  builder.addInput(port);
  const values = new Map<string, string>([['input', port.name]]);
  const recurrents = new Map<string, RecurrentResult>();
  const repeats = new Map<string, number>();
  let previous = 'input';
  for (const layer of architecture.layers) {
    const name = unusedName(plainName(layer), values, repeats, layer.name !== undefined);
    const from = layer.from ?? previous;
    const sources = typeof from === 'string' ? [from] : from;
    const inputs = sources.map((source) => {
      const value = values.get(source);
      return value ?? fail('OPTION_INVALID', 'a layer reads from no earlier layer', { place: name, found: source });
    });
    const scene: LayerScene = { builder, supply, name, inputs };
    if (layer.type === 'finalState') {
      values.set(name, finalState(scene, recurrents.get(sources[0]!)));
    } else if (layer.type === 'lstm' || layer.type === 'gru' || layer.type === 'rnn') {
      if (inputs.length !== 1) fail('OPTION_INVALID', 'the layer takes one input', { place: name });
      const result = addRecurrent(builder, supply, layer, name, inputs[0]!);
      recurrents.set(name, result);
      values.set(name, result.y);
    } else {
      const add = layers[layer.type] as (layer: ArchitectureLayer, scene: LayerScene) => string;
      values.set(name, add(layer, scene));
    }
    previous = name;
  }
  checkUsed(supply, architecture.ignore ?? []);
  const outputs = (architecture.outputs ?? [previous]).map((name) => ({
    name: name === port.name ? `${name}:1` : name,
    value:
      values.get(name) ?? fail('OPTION_INVALID', 'an output is no layer', { place: '--arch: outputs', found: name }),
  }));
  const graph = builder.graph(outputs);
  return validate({
    name: options.name,
    graphs: { main: graph },
    weights: builder.weightsOf(graph),
    metadata: {},
    origin: {
      format: options.format,
      container: options.container,
      tensors: [...tensors].map(([key, { dtype, shape }]) => [key, dtype, shape]),
      bindings: supply.bindings,
      ...(options.assumptions.length > 0 ? { assumptions: options.assumptions } : {}),
    },
  });
}

function unusedName(
  wanted: string,
  values: ReadonlyMap<string, string>,
  repeats: Map<string, number>,
  given: boolean,
): string {
  if (!values.has(wanted)) return wanted;
  if (given) fail('OPTION_INVALID', 'two layers have this name', { place: '--arch: layers', found: wanted });
  let n = repeats.get(wanted) ?? 2;
  while (values.has(`${wanted}_${n}`)) n++;
  repeats.set(wanted, n + 1);
  return `${wanted}_${n}`;
}

/** The states after the last step of a recurrent layer's last level: the directions side by side. */
function finalState({ builder, name }: LayerScene, result: RecurrentResult | undefined): string {
  if (!result) {
    return fail('OPTION_INVALID', 'finalState must read from a recurrent layer', {
      place: name,
      hint: 'place it right after the layer, or name the layer in "from"',
    });
  }
  if (result.states.length === 1) return result.states[0]!;
  return builder.add('concat', name, Object.fromEntries(result.states.map((value, i) => [i, value]))).y!;
}

function checkUsed(supply: Supply, ignore: readonly string[]): void {
  const patterns = ignore.map((text) => text.split('*'));
  const left = supply.unused().filter((key) => !patterns.some((parts) => matches(key, parts)));
  if (left.length === 0) return;
  fail('FILE_UNUSED', 'the file holds tensors that no layer uses', {
    place: left.slice(0, 20).join(', ') + (left.length > 20 ? `, and ${left.length - 20} more` : ''),
    hint: 'give each to a layer of the architecture file, or list it under "ignore" if inference does not need it',
  });
}

/** Whether a key is the parts with any text between them. In time linear in the key for each part. */
function matches(key: string, parts: readonly string[]): boolean {
  if (parts.length === 1) return key === parts[0];
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (key.length < first.length + last.length || !key.startsWith(first) || !key.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = key.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= key.length - last.length;
}
