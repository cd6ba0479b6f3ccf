import { fail, type Model } from '@gatefold/runtime';
import { modelOf, type StateUpdate, stateUpdate, type WeightFile, withoutGraph } from '../state-dict/index.ts';
import type { WrittenModel } from '../types.ts';
import { isTorchZip, openArchive } from './archive.ts';
import { weightsOf } from './checkpoint.ts';
import { isTorchLegacy, isTorchTar, openLegacy } from './legacy.ts';
import type { OpenedFile } from './open.ts';
import { canPatch, patchFile } from './patch.ts';
import { writeArchive } from './write-archive.ts';

/** Whether the bytes are a file of `torch.save` or `torch.jit.save`. Never throws. */
export function isTorch(bytes: Uint8Array): boolean {
  return isTorchLegacy(bytes) || isTorchTar(bytes) || isTorchZip(bytes);
}

/** @throws FILE_*, MODEL_UNSUPPORTED naming what the pickle wants to call */
function openTorch(bytes: Uint8Array): OpenedFile {
  if (isTorchTar(bytes)) {
    fail('FILE_VERSION', 'the file is a tar archive of PyTorch before 0.1.10', {
      hint: 'load and save it by any later PyTorch',
    });
  }
  return isTorchLegacy(bytes) ? openLegacy(bytes) : openArchive(bytes);
}

/** The weights of a PyTorch file: their names, shapes and, in whole modules, classes and options. */
export function torchWeights(bytes: Uint8Array): WeightFile {
  return weightsOf(openTorch(bytes));
}

/**
 * Reads a PyTorch file: state dicts, checkpoints, whole modules, TorchScript archives. Nothing in the file is executed.
 * @throws FILE_*, MODEL_UNSUPPORTED, MODEL_NO_ARCHITECTURE, OPTION_INVALID (the architecture file), MODEL_*
 */
export async function readTorch(
  bytes: Uint8Array,
  options: { architecture?: string; name?: string },
): Promise<{ model: Model; version: string }> {
  const opened = openTorch(bytes);
  return { model: modelOf(weightsOf(opened), 'torch', options), version: opened.version };
}

/**
 * Writes a model as a PyTorch file. Where it came from one and its shapes are what they were, that file with new values
 * in its storages; else a state dict, under the same keys or under those of PyTorch's own modules.
 * @throws MODEL_UNSUPPORTED naming a layer that PyTorch has no module for, MODEL_VALUE
 */
export async function writeTorch(model: Model, source?: Uint8Array): Promise<WrittenModel> {
  const file = source && isTorch(source) && model.origin?.format === 'torch' ? torchWeights(source) : undefined;
  const update = stateUpdate(model, file?.tensors);
  if (source && file && isOf(update, file) && canPatch(file.tensors, update.changed)) {
    return { bytes: patchFile(source, file.tensors, update.changed), notes: update.notes };
  }
  return { bytes: writeArchive(update.tensors), notes: [withoutGraph, ...update.notes] };
}

/** Whether the model's tensors are those of the file, whatever their values. */
function isOf({ tensors }: StateUpdate, file: WeightFile): boolean {
  return [...tensors.keys()].every((key) => file.tensors.has(key));
}
