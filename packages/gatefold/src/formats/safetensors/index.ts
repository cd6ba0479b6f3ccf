import { fail, isSafetensors, type Model, readSafetensors, writeSafetensors } from '@gatefold/runtime';
import {
  modelOf,
  modulesOfKeys,
  type StateDict,
  type StateTensor,
  stateUpdate,
  type WeightFile,
  withoutGraph,
} from '../state-dict/index.ts';
import { decodeNumbers, elementSize, isStoredType, rowMajor } from '../state-dict/numbers.ts';
import type { WrittenModel } from '../types.ts';

/** The tensors of a safetensors file as a state dict. @throws FILE_*, MODEL_UNSUPPORTED for types that hold no weights */
export function safetensorsWeights(bytes: Uint8Array): WeightFile {
  const { metadata, tensors } = readSafetensors(bytes);
  const dict: StateDict = new Map(
    [...tensors].map(([key, { type, shape, bytes: memory }]): [string, StateTensor] => {
      if (!isStoredType(type)) fail('MODEL_UNSUPPORTED', `tensors of type ${type} are not known`, { place: key });
      const layout = { offset: 0, shape, stride: rowMajor(shape) };
      const values = () => decodeNumbers(memory, type, layout);
      return [key, { dtype: type, shape, identity: key, values, raw: () => memory }];
    }),
  );
  const keys = [...dict.keys()];
  // The format's own library sorts tensors by name; other writers keep their order.
  const isOrdered = keys.some((key, i) => i > 0 && key < keys[i - 1]!);
  return {
    tensors: dict,
    modules: modulesOfKeys(dict),
    isOrdered,
    size: bytes.length,
    container: 'safetensors',
    beside: metadata,
  };
}

/**
 * Reads a safetensors state dict as PyTorch's are read.
 * @throws FILE_*, MODEL_UNSUPPORTED, MODEL_NO_ARCHITECTURE, OPTION_INVALID (the architecture file), MODEL_*
 */
export async function readSafetensorsModel(
  bytes: Uint8Array,
  options: { architecture?: string; name?: string },
): Promise<Model> {
  return modelOf(safetensorsWeights(bytes), 'safetensors', options);
}

/**
 * Writes a model as a safetensors state dict: under the keys that it came with, or under those of PyTorch's modules.
 * @throws MODEL_UNSUPPORTED naming a layer that PyTorch has no module for, MODEL_VALUE
 */
export async function writeSafetensorsModel(model: Model, source?: Uint8Array): Promise<WrittenModel> {
  const isOwn = source !== undefined && model.origin?.format === 'safetensors' && isSafetensors(source);
  const { tensors, notes } = stateUpdate(model, isOwn ? safetensorsWeights(source).tensors : undefined);
  const { metadata } = isOwn ? readSafetensors(source) : { metadata: { format: 'pt' } };
  // Wide elements first, so that every tensor starts at a multiple of its element.
  const sorted = [...tensors].sort(([, a], [, b]) => elementSize[b.dtype] - elementSize[a.dtype]);
  const stored = sorted.map(([key, { dtype, shape, bytes }]) => [key, { type: dtype, shape, bytes }] as const);
  return {
    bytes: writeSafetensors({ metadata, tensors: new Map(stored) }),
    notes: [...(isOwn ? [] : [withoutGraph]), ...notes],
  };
}
