import { decode, denseWeight, fail, type Model, sameShape, sizeOf } from '@gatefold/runtime';
import { z } from 'zod';
import { type Binding, bind, type Numbers, unbind } from './binding.ts';
import { elementSize, encodeNumbers, rowMajor } from './numbers.ts';
import { standardNames } from './standard.ts';
import type { StateDict, StoredType } from './types.ts';

/** A tensor to be written: row-major, little-endian. */
export interface WrittenTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** What a model's weights make of a state dict. */
export interface StateUpdate {
  /** Every tensor, in order. */
  readonly tensors: ReadonlyMap<string, WrittenTensor>;
  /** New values of the tensors of the source that are not what they were; shapes may differ too. */
  readonly changed: ReadonlyMap<string, Numbers>;
  readonly notes: readonly string[];
}

const order = z.array(z.int().min(0).max(3)).min(1).max(4);
const form = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('copy') }),
  z.object({ kind: z.literal('transpose') }),
  z.object({ kind: z.literal('gates'), order, transposed: z.boolean().optional() }),
  z.object({ kind: z.literal('gateSum'), order }),
  z.object({ kind: z.literal('taps'), taps: z.int().min(1) }),
  z.object({ kind: z.literal('batchNorm'), epsilon: z.number() }),
]);
/** What the reader left in `origin`. A .gatefold file may hold anything there. */
const originSchema = z.object({
  format: z.enum(['torch', 'safetensors']),
  tensors: z.array(
    z.tuple([z.string(), z.enum(Object.keys(elementSize) as [StoredType, ...StoredType[]]), z.array(z.int().min(0))]),
  ),
  bindings: z.array(z.object({ weights: z.array(z.string()).min(1), keys: z.array(z.string()).min(1), form })),
});

interface Names {
  readonly bindings: readonly Binding[];
  /** Keys in order, with their types. */
  readonly keys: ReadonlyMap<string, StoredType>;
  readonly zeros: ReadonlyMap<string, readonly number[]>;
  readonly isOwn: boolean;
}

/** The names of the file that the model came from, or those that PyTorch's modules would have. */
function namesOf(model: Model): Names {
  const parsed = originSchema.safeParse(model.origin);
  if (parsed.success) {
    const { tensors, bindings } = parsed.data;
    const bound = new Set(bindings.flatMap(({ weights }) => weights));
    const weights = Object.keys(model.weights);
    if (weights.every((name) => bound.has(name)) && [...bound].every((name) => Object.hasOwn(model.weights, name))) {
      const keys = new Map(tensors.map(([key, dtype]) => [key, dtype]));
      // Counters, which training alone reads.
      const counters = tensors.filter(([key, dtype]) => dtype === 'I64' && /num_batches_tracked$/.test(key));
      const zeros = new Map(counters.map(([key, , shape]) => [key, shape]));
      return { bindings: bindings as Binding[], keys, zeros, isOwn: true };
    }
  }
  const { bindings, zeros } = standardNames(model);
  const floats = bindings.flatMap((binding) => binding.keys.map((key): [string, StoredType] => [key, 'F32']));
  const rest = [...zeros].map(([key, shape]): [string, StoredType] => [key, shape.length === 0 ? 'I64' : 'F32']);
  return { bindings, keys: new Map([...floats, ...rest]), zeros, isOwn: false };
}

/**
 * The state dict of a model: under the keys that it came with, or under those of PyTorch's modules. Tensors whose
 * weights did not change are what they were in `source`.
 * @throws MODEL_UNSUPPORTED naming a layer that PyTorch has no module for, MODEL_VALUE
 */
export function stateUpdate(model: Model, source?: StateDict): StateUpdate {
  const { bindings, keys, zeros, isOwn } = namesOf(model);
  if (bindings.length === 0) fail('MODEL_UNSUPPORTED', 'a model without weights makes no state dict');
  const own = isOwn && source && [...keys.keys()].every((key) => source.has(key)) ? source : undefined;
  const values = new Map<string, Numbers>();
  const changed = new Map<string, Numbers>();
  for (const binding of bindings) {
    const weights = binding.weights.map((name): Numbers => {
      const weight = model.weights[name]!;
      return { shape: weight.shape, data: decode(weight) };
    });
    if (own && isUnchanged(binding, weights, own)) continue;
    checkForm(binding, weights);
    unbind(binding, weights).forEach((numbers, i) => {
      values.set(binding.keys[i]!, numbers);
      changed.set(binding.keys[i]!, numbers);
    });
  }
  const tensors = new Map<string, WrittenTensor>();
  const dropped: string[] = [];
  for (const [key, dtype] of keys) {
    const numbers = values.get(key);
    const kept = own?.get(key);
    const shape = zeros.get(key);
    if (numbers) tensors.set(key, encode(key, dtype, numbers));
    else if (kept) tensors.set(key, { dtype: kept.dtype, shape: kept.shape, bytes: kept.raw() });
    else if (shape) tensors.set(key, { dtype, shape, bytes: new Uint8Array(sizeOf(shape) * elementSize[dtype]) });
    else dropped.push(key);
  }
  return { tensors, changed, notes: [...(isOwn ? [] : [standardNote]), ...notesOf(model, keys, dropped)] };
}

/**
 * The model with the weights that stand in a state dict written from it: what a written file holds, under a graph that
 * such files lack.
 */
export function withTensors(model: Model, tensors: StateDict): Model {
  const weights = { ...model.weights };
  for (const { weights: names, keys, form: how } of namesOf(model).bindings) {
    const stored = keys.map((key) => {
      const tensor = tensors.get(key) ?? fail('FILE_CORRUPT', 'the written file lacks a tensor', { place: key });
      return { shape: tensor.shape, data: tensor.values() };
    });
    bind(how, stored).forEach(({ shape, data }, i) => {
      weights[names[i]!] = denseWeight(shape, data);
    });
  }
  return { ...model, weights };
}

function isUnchanged({ keys, form: how }: Binding, weights: readonly Numbers[], source: StateDict): boolean {
  const stored = bind(
    how,
    keys.map((key) => {
      const tensor = source.get(key)!;
      return { shape: tensor.shape, data: tensor.values() };
    }),
  );
  return weights.every(({ shape, data }, i) => {
    const before = stored[i];
    return before && sameShape(shape, before.shape) && data.every((value, k) => Object.is(value, before.data[k]));
  });
}

/** Origins come from files: their forms must fit the weights. */
function checkForm({ form: how, weights, keys }: Binding, values: readonly Numbers[]): void {
  const [{ shape, data }] = values as [Numbers];
  const isGates = how.kind === 'gates' || how.kind === 'gateSum';
  const permuted =
    isGates && [...how.order].sort().every((block, i) => block === i) && shape[0]! % how.order.length === 0;
  const expectedKeys = { copy: 1, transpose: 1, gates: 1, gateSum: 2, taps: 1, batchNorm: keys.length }[how.kind];
  const fits =
    (!isGates || permuted) &&
    (how.kind !== 'taps' || (shape.length === 2 && shape[1]! % how.taps === 0)) &&
    (how.kind !== 'batchNorm' || (values.length === 2 && values[1]!.data.length === data.length)) &&
    keys.length === expectedKeys;
  if (!fits)
    fail('MODEL_UNSUPPORTED', 'the weight does not fit what the file of its origin says', { place: weights[0]! });
}

function encode(key: string, dtype: StoredType, { shape, data }: Numbers): WrittenTensor {
  const bytes = new Uint8Array(data.length * elementSize[dtype]);
  encodeNumbers(bytes, dtype, { offset: 0, shape, stride: rowMajor(shape) }, data, key);
  return { dtype, shape, bytes };
}

/** What to know of every file that holds a state dict alone. */
export const withoutGraph = 'the file is a state dict: weights by name, without their network';

const standardNote = "its keys are those that PyTorch's own modules have";

function notesOf(model: Model, keys: ReadonlyMap<string, StoredType>, dropped: readonly string[]): string[] {
  const notes: string[] = [];
  if (Object.values(model.weights).some(({ encoding }) => encoding.kind !== 'dense')) {
    notes.push('the file holds floating-point values: the weights as they are after compression, at their full size');
  }
  const halves = [...new Set(keys.values())].filter((dtype) => dtype === 'F16' || dtype === 'BF16');
  if (halves.length > 0) notes.push(`changed weights are rounded to the ${halves.join(' and ')} of the source file`);
  if (dropped.length > 0) {
    notes.push(`tensors that no layer used are only in the source file: ${dropped.slice(0, 8).join(', ')}`);
  }
  return notes;
}
