import { fail } from '@gatefold/runtime';
import { type PickleValue, PyDict, type PyObject } from '../pickle/index.ts';
import { modulesOfKeys, type StateTensor, type WeightFile } from '../state-dict/index.ts';
import { isModule, modulesOf } from './modules.ts';
import type { OpenedFile } from './open.ts';
import { type Budget, plainOf } from './plain.ts';
import { followScript } from './script/index.ts';
import { TorchTensor } from './tensor.ts';

/** Where checkpoints keep their model, in the order of trust. */
const places = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'net',
  'network',
  'module',
  'state',
  'weights',
  'params',
];
/** What stands beside models and holds tensors of its own. */
const others = /optim|sched|scaler|rng|loop|callback|^ema|_ema$|history/i;
const mostSteps = 200_000;
const longestKey = 1000;

/**
 * Finds the weights in what a file holds: a state dict, a dict of state dicts, a checkpoint that holds either, or a
 * whole module.
 * @throws FILE_FORMAT where there are no weights, FILE_TOO_LARGE
 */
export function weightsOf({ root, container, size, code }: OpenedFile): WeightFile {
  const beside: Record<string, unknown> = Object.create(null);
  const budget = { left: 20_000 };
  let at: PickleValue = root;
  for (let depth = 0; depth < 4 && at instanceof PyDict && !isModule(at); depth++) {
    const inner: PickleValue | undefined = modelIn(at);
    if (inner === undefined) break;
    note(at, inner, beside, budget);
    at = inner;
  }
  if (isModule(at)) {
    const file = ofModule(at, { container, size, beside });
    return code && at === root ? { ...file, followed: followScript(at, file.tensors, code) } : file;
  }
  const tensors = new Map<string, StateTensor>();
  if (at instanceof PyDict) collect(at, '', tensors, { left: mostSteps }, 0);
  if (tensors.size === 0) {
    fail('FILE_FORMAT', 'the file holds no weights', {
      expected: 'a state dict, a checkpoint with one, or a module',
      found: describe(root),
    });
  }
  if (at instanceof PyDict) note(at, undefined, beside, budget);
  return { tensors, modules: modulesOfKeys(tensors), isOrdered: true, size, container, beside };
}

function ofModule(
  module: PyObject,
  { container, size, beside }: Pick<WeightFile, 'container' | 'size' | 'beside'>,
): WeightFile {
  const modules = modulesOf(module);
  const tensors = new Map<string, StateTensor>();
  for (const { path, tensors: own } of modules) {
    for (const [name, tensor] of own) tensors.set(path === '' ? name : `${path}.${name}`, tensor);
  }
  return {
    tensors,
    modules,
    isOrdered: true,
    size,
    container: container === 'torchscript' ? container : `${container}, whole module`,
    beside,
  };
}

/** The part of a checkpoint that is its model. */
function modelIn(dict: PyDict): PickleValue | undefined {
  for (const place of places) {
    const value = dict.get(place);
    if (value instanceof PyDict ? holdsTensors(value) : isModule(value)) return value;
  }
  const modules = [...dict.entries.values()].filter(isModule);
  return modules.length === 1 ? modules[0] : undefined;
}

function holdsTensors(dict: PyDict): boolean {
  for (const value of dict.entries.values()) {
    if (value instanceof TorchTensor || isModule(value)) return true;
    if (value instanceof PyDict && [...value.entries.values()].some((inner) => inner instanceof TorchTensor))
      return true;
  }
  return false;
}

/** Tensors by their keys; dicts within are joined by dots. */
function collect(
  dict: PyDict,
  path: string,
  out: Map<string, StateTensor>,
  steps: { left: number },
  depth: number,
): void {
  for (const [key, value] of dict.entries) {
    if (--steps.left < 0) fail('FILE_TOO_LARGE', 'the state dict has too many entries', { place: path.slice(0, 120) });
    const name = `${path === '' ? '' : `${path}.`}${typeof key === 'object' ? '?' : String(key)}`;
    if (value instanceof TorchTensor) {
      if (typeof key !== 'string' || name.length > longestKey)
        fail('FILE_CORRUPT', 'a tensor has no name, or a very long one', { place: name.slice(0, 120) });
      out.set(name, value);
    } else if (value instanceof PyDict && depth < 4 && !(depth === 0 && others.test(String(key)))) {
      collect(value, name, out, steps, depth + 1);
    }
  }
}

/** Keeps plain values of a checkpoint for people. */
function note(dict: PyDict, inner: PickleValue | undefined, beside: Record<string, unknown>, budget: Budget): void {
  for (const [key, value] of dict.entries) {
    if (value === inner || typeof key !== 'string' || others.test(key) || Object.keys(beside).length >= 40) continue;
    const plain = plainOf(value, budget);
    const text = plain === undefined ? '{}' : JSON.stringify(plain);
    // Of dicts of tensors nothing plain remains.
    if (text !== '{}' && text.length <= 1000) beside[key] = plain;
  }
}

function describe(root: PickleValue): string {
  if (root instanceof PyDict)
    return `a dict of ${[...root.entries.keys()].slice(0, 8).map(String).join(', ').slice(0, 200)}`;
  if (root instanceof TorchTensor) return 'one tensor';
  return root === null ? 'None' : typeof root === 'object' ? 'another object' : typeof root;
}
