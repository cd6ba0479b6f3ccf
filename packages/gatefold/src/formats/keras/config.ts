import { fail } from '@gatefold/runtime';
import { get, isList, isObject, type Json, type JsonObject, show, textOf } from '../json.ts';
import { argumentsOf, type Argument, type CallSpec, referencesIn, type TensorReference } from './references.ts';

/** A layer of either Keras, in one form. */
export interface LayerSpec {
  readonly name: string;
  readonly className: string;
  /** Where a class comes from; `builtins` and user packages are custom code. */
  readonly module: string;
  readonly config: JsonObject;
  /** Every call of the layer in its model, in order; the first has the number `firstCall` in references. */
  readonly calls: readonly CallSpec[];
  readonly firstCall: number;
  /** A nested model. */
  readonly model?: ModelSpec;
}

export interface ModelSpec {
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  readonly inputs: readonly TensorReference[];
  readonly outputs: readonly TensorReference[];
  readonly trainable: boolean;
}

const maxLayers = 20_000;
const maxDepth = 16;

/**
 * Brings the configuration of a model, as Keras 2 and 3 write it, into one form.
 * @throws FILE_CORRUPT where it contradicts itself, MODEL_UNSUPPORTED for subclassed models and Keras 1
 */
export function modelSpec(json: Json, depth = 0): ModelSpec {
  const className = textOf(get(json, 'class_name'));
  const config = get(json, 'config');
  if (className === undefined || config === undefined) malformed('the model has no class or no configuration', 'model_config', json);
  if (depth > maxDepth) fail('MODEL_UNSUPPORTED', 'models are nested too deeply', { found: `more than ${maxDepth} levels` });
  if (className === 'Sequential') return sequential(config, depth);
  if (isModelClass(className) || get(config, 'input_layers') !== undefined) return functional(config, depth);
  return fail('MODEL_UNSUPPORTED', `the model is of the class "${className}"`, {
    place: textOf(get(config, 'name')) ?? 'model_config',
    expected: 'a Sequential or functional model',
    hint: 'a subclassed model keeps its graph in Python code: rebuild it with the functional API and copy the weights',
  });
}

/** Classes whose instances are models. */
export function isModelClass(className: string): boolean {
  return className === 'Sequential' || className === 'Functional' || className === 'Model';
}

function functional(config: Json, depth: number): ModelSpec {
  const name = textOf(get(config, 'name')) ?? 'model';
  const entries = layerList(config, name);
  const inputs = referencesIn(argumentsOf(get(config, 'input_layers') ?? null));
  const outputs = referencesIn(argumentsOf(get(config, 'output_layers') ?? null));
  if (outputs.length === 0) malformed('the model has no outputs', `${name}.output_layers`, get(config, 'output_layers'));
  const calls = entries.map((entry) => callsOf(entry, name));
  const lowest = new Map<string, number>();
  for (const reference of [...outputs, ...calls.flat().flatMap(({ args, kwargs }) => [...referencesIn(args), ...Object.values(kwargs).flatMap(referencesIn)])]) {
    lowest.set(reference.layer, Math.min(reference.call, lowest.get(reference.layer) ?? Number.POSITIVE_INFINITY));
  }
  const layers = entries.map((entry, i) => layerSpec(entry, calls[i]!, lowest, depth));
  return { name, layers, inputs, outputs, trainable: get(config, 'trainable') !== false };
}

/** Keras ≤ 2.2.2 writes a bare list of layers, later versions an object with name and layers. */
function sequential(config: Json, depth: number): ModelSpec {
  const name = textOf(get(config, 'name')) ?? 'sequential';
  const entries = [...layerList(isList(config) ? { layers: config } : config, name)];
  if (entries.length === 0) malformed('the model has no layers', name, config);
  if (textOf(get(entries[0], 'class_name')) !== 'InputLayer') {
    entries.unshift(impliedInput(entries[0]!, get(config, 'build_input_shape'), name));
  }
  const names = entries.map((entry) => nameOf(entry, name));
  const reference = (i: number): TensorReference => ({ layer: names[i]!, call: 0, tensor: 0 });
  const layers = entries.map((entry, i) =>
    layerSpec(entry, i === 0 ? [] : [{ args: [reference(i - 1)], kwargs: {} }], new Map(), depth),
  );
  const last = reference(entries.length - 1);
  return { name, layers, inputs: [reference(0)], outputs: [last], trainable: get(config, 'trainable') !== false };
}

/** The input of a Sequential whose first layer carries the shape. */
function impliedInput(first: Json, buildShape: Json | undefined, model: string): JsonObject {
  const config = get(first, 'config');
  const length = get(config, 'input_length');
  const shape =
    get(config, 'batch_input_shape') ??
    get(config, 'batch_shape') ??
    (isModelClass(textOf(get(first, 'class_name')) ?? '') ? innerShape(first) : undefined) ??
    buildShape ??
    get(get(first, 'build_config'), 'input_shape') ??
    (typeof length === 'number' ? [null, length] : undefined);
  if (shape === undefined || shape === null) {
    fail('MODEL_UNSUPPORTED', 'the model was saved before its input was known', {
      place: model,
      expected: 'an Input layer, or a first layer with an input shape',
      hint: 'add keras.Input(...) as the first layer, or call the model once, and save it again',
    });
  }
  const layer = nameOf(first, model);
  const dtype = textOf(get(first, 'class_name')) === 'Embedding' ? 'int32' : 'float32';
  const name = `${layer}_input`;
  return { class_name: 'InputLayer', name, config: { name, batch_input_shape: shape, dtype } };
}

/** The input shape of a nested model that stands first. */
function innerShape(model: Json): Json | undefined {
  const layers = get(get(model, 'config'), 'layers');
  const input = isList(layers) ? get(layers[0], 'config') : undefined;
  return get(input, 'batch_input_shape') ?? get(input, 'batch_shape');
}

function layerList(config: Json, model: string): readonly Json[] {
  const layers = get(config, 'layers');
  if (!isList(layers)) malformed('the model has no list of layers', model, config);
  if (layers.length > maxLayers) {
    fail('FILE_TOO_LARGE', 'the model has too many layers', { expected: `at most ${maxLayers}`, found: `${layers.length}` });
  }
  const seen = new Set<string>();
  for (const layer of layers) {
    const name = nameOf(layer, model);
    if (seen.has(name)) malformed('two layers have the same name', `${model}/${name}`, name);
    seen.add(name);
  }
  return layers;
}

function nameOf(entry: Json, model: string): string {
  const name = textOf(get(entry, 'name')) ?? textOf(get(get(entry, 'config'), 'name'));
  return name ?? malformed('a layer has no name', model, entry);
}

function callsOf(entry: Json, model: string): CallSpec[] {
  const nodes = get(entry, 'inbound_nodes') ?? [];
  if (!isList(nodes)) malformed('the calls of a layer are no list', `${model}/${nameOf(entry, model)}`, nodes);
  return nodes.map((node) => {
    if (isObject(node) && get(node, 'args') !== undefined) {
      const kwargs = get(node, 'kwargs') ?? {};
      const args = argumentsOf(get(node, 'args') ?? []);
      return { args: Array.isArray(args) ? (args as Argument[]) : [args], kwargs: isObject(kwargs) ? mapArguments(kwargs) : {} };
    }
    return keras2Call(node);
  });
}

/** A list of [layer, call, tensor, kwargs], one per input; the kwargs of the first hold for the call. */
function keras2Call(node: Json): CallSpec {
  const single = isList(node) && typeof node[0] === 'string';
  const list = single ? [node] : node;
  const first = isList(list) ? list[0] : undefined;
  const kwargs = isList(first) && isObject(first[3]) ? mapArguments(first[3]) : {};
  const inputs = argumentsOf(list);
  const args = Array.isArray(inputs) && inputs.length === 1 ? (inputs as Argument[]) : [inputs];
  return { args, kwargs };
}

function mapArguments(kwargs: JsonObject): Record<string, Argument> {
  return Object.fromEntries(Object.entries(kwargs).map(([key, value]) => [key, argumentsOf(value ?? null)]));
}

function layerSpec(entry: Json, calls: readonly CallSpec[], lowest: ReadonlyMap<string, number>, depth: number): LayerSpec {
  const name = nameOf(entry, 'model_config');
  const className = textOf(get(entry, 'class_name')) ?? malformed('a layer has no class', name, entry);
  const config = get(entry, 'config');
  if (!isObject(config) && !isModelClass(className)) malformed('a layer has no configuration', name, config);
  const base = className.split('>').at(-1)!;
  const spec = {
    name,
    className: base,
    module: textOf(get(entry, 'module')) ?? (className.includes('>') ? className.split('>')[0]! : 'keras.layers'),
    config: isObject(config) ? config : {},
    calls,
    firstCall: 0,
  };
  if (!isModelClass(base)) return spec;
  // The call that made a nested model counts or does not, by version; but every written call is referred to.
  return { ...spec, firstCall: lowest.get(name) ?? 0, model: modelSpec(entry, depth + 1) };
}

/** A layer inside a wrapper: it has no calls of its own. */
export function wrappedLayer(json: Json | undefined, place: string): LayerSpec {
  if (json === undefined || json === null) malformed('a wrapper has no layer', place, json);
  return layerSpec(json, [], new Map(), 1);
}

function malformed(message: string, place: string, found: Json | undefined): never {
  return fail('FILE_CORRUPT', message, { place, found: show(found) });
}
