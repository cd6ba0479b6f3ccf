import { fail } from '@gatefold/runtime';
import { get, isList, isObject, type Json } from '../json.ts';

/** A tensor: output `tensor` of call `call` of a layer. */
export interface TensorReference {
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

/** What a layer is called with: tensors, lists of them, or plain values. */
export type Argument = TensorReference | readonly Argument[] | { readonly value: Json };

export interface CallSpec {
  readonly args: readonly Argument[];
  readonly kwargs: Readonly<Record<string, Argument>>;
}

const maxDepth = 32;

export function isReference(argument: Argument | undefined): argument is TensorReference {
  return argument !== undefined && 'layer' in argument;
}

export function isArgumentList(argument: Argument | undefined): argument is readonly Argument[] {
  return Array.isArray(argument);
}

/** Reads Keras 2's ["layer", call, tensor, kwargs?] and Keras 3's `__keras_tensor__`, in lists and objects of any form. */
export function argumentsOf(json: Json, depth = 0): Argument {
  if (depth > maxDepth) fail('FILE_CORRUPT', 'the arguments of a call are nested too deeply', { place: 'inbound_nodes' });
  if (isList(json)) {
    const [layer, call, tensor] = json;
    if (typeof layer === 'string' && isIndex(call) && isIndex(tensor)) return { layer, call, tensor };
    return json.map((item) => argumentsOf(item, depth + 1));
  }
  if (!isObject(json)) return { value: json };
  if (get(json, 'class_name') === '__keras_tensor__') {
    const history = get(get(json, 'config'), 'keras_history');
    return isList(history) ? argumentsOf(history, depth + 1) : fail('FILE_CORRUPT', 'a tensor has no origin', { place: 'keras_history' });
  }
  const values = Object.keys(json).sort().map((key) => json[key] ?? null);
  // A dictionary of tensors is flattened in the order of its keys, as Keras does; other objects are plain values.
  const flat = values.map((value) => (isObject(value) || isList(value) ? argumentsOf(value, depth + 1) : { value }));
  return flat.some((argument) => referencesIn(argument).length > 0) ? flat : { value: json };
}

/** All tensors in an argument, in order. */
export function referencesIn(argument: Argument | undefined): TensorReference[] {
  if (argument === undefined) return [];
  if (isArgumentList(argument)) return argument.flatMap((item) => referencesIn(item));
  return isReference(argument) ? [argument] : [];
}

function isIndex(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1 << 24;
}
