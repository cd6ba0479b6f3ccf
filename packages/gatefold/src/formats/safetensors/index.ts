import { fail, type Model, readSafetensors } from '@gatefold/runtime';
import { modelOf, modulesOfKeys, type StateDict, type StateTensor, type WeightFile } from '../state-dict/index.ts';
import { decodeNumbers, isStoredType, rowMajor } from '../state-dict/numbers.ts';

/** The tensors of a safetensors file as a state dict. @throws FILE_*, MODEL_UNSUPPORTED for types that hold no weights */
export function safetensorsWeights(bytes: Uint8Array): WeightFile {
  const { metadata, tensors } = readSafetensors(bytes);
  const dict: StateDict = new Map(
    [...tensors].map(([key, { type, shape, bytes: memory }]): [string, StateTensor] => {
      if (!isStoredType(type)) fail('MODEL_UNSUPPORTED', `tensors of type ${type} are not known`, { place: key });
      const layout = { offset: 0, shape, stride: rowMajor(shape) };
      return [key, { dtype: type, shape, identity: key, values: () => decodeNumbers(memory, type, layout) }];
    }),
  );
  const keys = [...dict.keys()];
  // The format's own library sorts tensors by name; other writers keep their order.
  const isOrdered = keys.some((key, i) => i > 0 && key < keys[i - 1]!);
  return { tensors: dict, modules: modulesOfKeys(dict), isOrdered, container: 'safetensors', beside: metadata };
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
