import type { Model } from '@gatefold/runtime';
import { parseArchitecture } from './architecture.ts';
import { buildModel } from './build.ts';
import { decidedArchitecture, draftOf } from './infer.ts';
import type { StateTensor, WeightFile } from './types.ts';

export type { Architecture, ArchitectureLayer } from './architecture.ts';
export { architectureTemplate } from './template.ts';
export type { Followed, ModuleEntry, StateDict, StateTensor, WeightFile } from './types.ts';
export { type StateUpdate, stateUpdate, withoutGraph, withTensors } from './write.ts';

/**
 * Makes a model of a file of weights: as its architecture file says, or without one where names and shapes decide.
 * @throws MODEL_NO_ARCHITECTURE, OPTION_INVALID (the architecture file), MODEL_*, FILE_UNUSED
 */
export function modelOf(
  file: WeightFile,
  format: string,
  { architecture, name = format }: { architecture?: string; name?: string },
): Model {
  // Archives may be compressed, and tied tensors count once: only views that overlap on purpose hold more.
  const limit = 4 * file.size + 2 ** 24;
  const about = { name, format, container: file.container, limit };
  if (architecture !== undefined) {
    return buildModel(parseArchitecture(architecture), file.tensors, { ...about, isDescribed: true, assumptions: [] });
  }
  const { followed } = file;
  if (followed && 'architecture' in followed) {
    return buildModel(followed.architecture, file.tensors, {
      ...about,
      isDescribed: false,
      assumptions: followed.notes,
    });
  }
  const found = draftOf(file);
  // Code that says more than layers is known to be more than a guess by names.
  const draft = followed
    ? { ...found, problems: [`forward() was not followed: ${followed.reason}`, ...found.problems] }
    : found;
  return buildModel(decidedArchitecture(file, draft), file.tensors, {
    ...about,
    isDescribed: false,
    assumptions: draft.assumptions,
  });
}

/** The modules of a state dict: tensors whose keys differ in their last part only belong together. */
export function modulesOfKeys(tensors: WeightFile['tensors']): WeightFile['modules'] {
  const groups = new Map<string, Map<string, StateTensor>>();
  for (const [key, tensor] of tensors) {
    const dot = key.lastIndexOf('.');
    const path = dot < 0 ? '' : key.slice(0, dot);
    let group = groups.get(path);
    if (!group) {
      group = new Map();
      groups.set(path, group);
    }
    group.set(key.slice(dot + 1), tensor);
  }
  return [...groups].map(([path, own]) => ({ path, tensors: own }));
}
