import { fail } from '@gatefold/runtime';
import { show } from './json.ts';

export type Json = Readonly<Record<string, unknown>>;

/** A tensor of a functional model: an output of a call of a layer. */
export interface TensorRef {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

/** One call of a layer: its tensors in order and what was passed by name. */
export interface Call {
  readonly inputs: readonly TensorRef[];
  readonly named: Json;
  /** Positional arguments in order, tensors or not. */
  readonly operands: readonly Operand[];
}

export type Operand = { readonly tensor: TensorRef } | { readonly constant: unknown };

export interface LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly config: Json;
  readonly calls: readonly Call[];
  /** The layer as the file has it: nested models are read from it. */
  readonly source: Json;
  /** Keras 3: an operation on tensors (`x + y`), which may share its name with a layer. */
  readonly isOperation: boolean;
}

/** A Sequential or functional model, Keras 2 or 3, in one form. */
export interface ModelConfig {
  readonly name: string;
  readonly sequential: boolean;
  readonly layers: readonly LayerConfig[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
  /** Shape a Sequential was built with, where it has no input layer. */
  readonly buildShape?: unknown;
}

const deepest = 64;
const mostLayers = 20_000;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Class names of models, which may also stand as layers inside others. */
export function isModelClass(className: unknown): boolean {
  return className === 'Sequential' || className === 'Functional' || className === 'Model';
}

/** @throws FILE_CORRUPT, MODEL_UNSUPPORTED */
export function modelConfig(value: unknown, place: string): ModelConfig {
  if (!isJson(value)) fail('FILE_CORRUPT', 'malformed model configuration', { place });
  const { class_name: className, config } = value;
  // Keras before 2.2.3 stored Sequential as a bare list of layers.
  const body = Array.isArray(config) ? { layers: config } : config;
  if (
    !isJson(body) ||
    !Array.isArray(body.layers) ||
    !(isModelClass(className) || isJson(body.input_layers) || Array.isArray(body.input_layers))
  ) {
    fail('MODEL_UNSUPPORTED', `a model of class ${show(className)} has no graph to read`, {
      place,
      expected: 'Sequential or Functional',
      hint: 'rebuild subclassed models with the functional API and load their weights into it',
    });
  }
  if (body.layers.length > mostLayers) {
    fail('FILE_TOO_LARGE', 'a model with too many layers', {
      place,
      expected: `at most ${mostLayers}`,
      found: `${body.layers.length}`,
    });
  }
  const layers = body.layers.map((layer: unknown, i: number) => layerConfig(layer, `${place}.layers[${i}]`));
  if (layers.length === 0) fail('FILE_CORRUPT', 'a model without layers', { place });
  const names = new Set(layers.map(({ name }) => name));
  if (names.size !== layers.length) fail('FILE_CORRUPT', 'two layers of a model have the same name', { place });
  const sequential = className === 'Sequential';
  const { build_config: build } = value;
  return {
    name: typeof body.name === 'string' ? body.name : 'model',
    sequential,
    layers,
    inputs: sequential ? [] : tensorRefs(body.input_layers, `${place}.input_layers`),
    outputs: sequential ? [] : tensorRefs(body.output_layers, `${place}.output_layers`),
    buildShape: body.build_input_shape ?? (isJson(build) ? build.input_shape : undefined),
  };
}

/** @throws FILE_CORRUPT */
export function layerConfig(value: unknown, place: string): LayerConfig {
  const source = isJson(value) ? value : fail('FILE_CORRUPT', 'malformed layer', { place });
  const { class_name: written, config, inbound_nodes: nodes } = source;
  if (typeof written !== 'string') fail('FILE_CORRUPT', 'a layer without class', { place });
  const className = isCustom(source) ? `custom ${written}` : written;
  const own = isJson(config)
    ? config
    : isModelClass(className)
      ? {}
      : fail('FILE_CORRUPT', 'a layer without configuration', { place });
  const named = source.name ?? own.name;
  const name = typeof named === 'string' ? named : className.toLowerCase();
  const calls = Array.isArray(nodes) ? nodes.map((node, i) => callFrom(node, `${name}.inbound_nodes[${i}]`)) : [];
  return { className, name, config: own, calls, source, isOperation: isOperation(source, own) };
}

/** Operations come from a module of their own; the HDF5 files of Keras 3 name no modules, but only layers can be trained. */
function isOperation({ module, class_name: className }: Json, config: Json): boolean {
  if (typeof module === 'string') return `${module}.`.includes('.ops.');
  return (
    className !== 'InputLayer' && !isModelClass(className) && Object.keys(config).length > 0 && !('trainable' in config)
  );
}

/**
 * Whether a class is registered by a package or comes from a user's module: then its name says nothing of what it does,
 * even where Keras has a class of that name.
 */
function isCustom({ class_name: className, registered_name: registered, module }: Json): boolean {
  const isOf = (name: unknown) => typeof name === 'string' && name.includes('>');
  return (
    isOf(className) ||
    isOf(registered) ||
    (typeof module === 'string' && !/^((tf_)?keras|tensorflow)(\.|$)/.test(module))
  );
}

/** Keras 3: {args, kwargs} with tensors as objects. Keras 2: a list of [layer, call, output, kwargs]. */
function callFrom(node: unknown, place: string): Call {
  if (isJson(node)) {
    const operands = operandsIn(node.args, 0, place);
    const inputs = operands.flatMap((operand) => ('tensor' in operand ? [operand.tensor] : []));
    return { inputs, operands, named: isJson(node.kwargs) ? node.kwargs : {} };
  }
  if (!Array.isArray(node)) fail('FILE_CORRUPT', 'malformed call', { place });
  const list: unknown[] = typeof node[0] === 'string' ? [node] : node;
  const inputs: TensorRef[] = [];
  let named: Json = {};
  for (const entry of list) {
    inputs.push(keras2Tensor(entry) ?? fail('FILE_CORRUPT', 'malformed call', { place }));
    const kwargs = (entry as unknown[])[3];
    if (isJson(kwargs)) named = { ...named, ...kwargs };
  }
  return { inputs, named, operands: inputs.map((tensor) => ({ tensor })) };
}

function operandsIn(value: unknown, depth: number, place: string): Operand[] {
  if (depth > deepest) fail('FILE_CORRUPT', 'arguments are nested too deeply', { place });
  const tensor = keras3Tensor(value);
  if (tensor) return [{ tensor }];
  return Array.isArray(value) ? value.flatMap((item) => operandsIn(item, depth + 1, place)) : [{ constant: value }];
}

/** The tensors that a named argument holds: one, or a list. */
export function tensorsIn(value: unknown, depth = 0): TensorRef[] {
  const ref = keras3Tensor(value) ?? keras2Tensor(value);
  if (ref) return [ref];
  return Array.isArray(value) && depth < deepest ? value.flatMap((item) => tensorsIn(item, depth + 1)) : [];
}

function keras3Tensor(value: unknown): TensorRef | undefined {
  if (!isJson(value) || value.class_name !== '__keras_tensor__' || !isJson(value.config)) return undefined;
  return keras2Tensor(value.config.keras_history);
}

function keras2Tensor(value: unknown): TensorRef | undefined {
  if (!Array.isArray(value)) return undefined;
  const [layer, call, output] = value;
  const fits = typeof layer === 'string' && Number.isInteger(call) && Number.isInteger(output);
  return fits ? { layer, call, output } : undefined;
}

function tensorRefs(value: unknown, place: string): TensorRef[] {
  // Dictionaries are flattened in the order of their keys.
  const refs = isJson(value)
    ? Object.keys(value)
        .sort()
        .flatMap((name) => tensorsIn(value[name]))
    : tensorsIn(value);
  if (refs.length === 0) fail('FILE_CORRUPT', 'a functional model without inputs or outputs', { place });
  return refs;
}
