import { PyDict, PyObject } from '../../pickle/index.ts';
import type { Architecture, ArchitectureLayer, Followed, StateDict } from '../../state-dict/index.ts';
import { TorchTensor } from '../tensor.ts';
import { type Archive, Interpreter, type ScriptModule } from './interpret.ts';
import { type CodeFile, parseCode } from './parse.ts';
import { isKind, itemsOf, type LayerValue, NotFollowed, prefixOf, stop, type Value } from './values.ts';

/** Text of a file under `code/` of the archive; undefined where there is none. */
export type CodeOf = (path: string) => string | undefined;

/**
 * The network of a TorchScript archive, by following the code of its forward(); or why that is not possible. Nothing is executed:
 * of the code's calls, those are known that have a meaning as layers.
 */
export function followScript(root: PyObject, tensors: StateDict, codeOf: CodeOf): Followed {
  const interpreter = new Interpreter(new ScriptArchive(root, tensors, codeOf));
  const input: LayerValue = { kind: 'value', memory: { layer: 'input' }, axes: undefined };
  try {
    const { names, isPart } = outputsOf(interpreter.run(input));
    const { layers } = interpreter;
    const used = new Set(layers.flatMap((layer) => keysOf(layer, tensors)));
    const ignore = [...tensors.keys()].filter((key) => !used.has(key));
    const roles = (input.axes ?? []).map(({ role }) => role);
    if (!roles.includes('batch') || !roles.includes('time')) stop('it has no recurrent layer over the input');
    const notes = [
      ...(isPart ? ['forward() also returns states, which are left out'] : []),
      ...(ignore.length > 0 ? [`forward() does not use ${ignore.slice(0, 8).join(', ')}`] : []),
    ];
    return { architecture: { version: 1, input: inputOf(layers, tensors), layers, outputs: names, ignore }, notes };
  } catch (error) {
    if (error instanceof NotFollowed) return { reason: error.message };
    throw error;
  }
}

/** Layers that forward() returns; other things that it returns beside them are left out. */
function outputsOf(returned: Value): { names: string[]; isPart: boolean } {
  const flat = (value: Value): readonly Value[] => itemsOf(value)?.flatMap(flat) ?? [value];
  const all = flat(returned);
  const names = all.flatMap((value) => (isKind(value, 'value') ? [value.memory.layer] : []));
  if (names.length === 0) {
    stop(all.find((value) => isKind(value, 'unknown'))?.why ?? 'it returns the output of no layer');
  }
  return { names: [...new Set(names)], isPart: names.length < all.length };
}

/** Keys of the tensors that a layer uses. */
function keysOf(layer: ArchitectureLayer, tensors: StateDict): string[] {
  if (!('weights' in layer)) return [];
  if ('keys' in layer && layer.keys) return Object.values(layer.keys).filter((key) => key !== undefined);
  const prefix = prefixOf(layer.weights);
  return [...tensors.keys()].filter((key) => key.startsWith(prefix) && !key.slice(prefix.length).includes('.'));
}

/** What the first layer with weights takes. */
function inputOf(layers: readonly ArchitectureLayer[], tensors: StateDict): Architecture['input'] {
  for (const layer of layers) {
    if (layer.type === 'embedding') return { ids: true };
    if (!('weights' in layer)) continue;
    const prefix = prefixOf(layer.weights);
    const key = layer.type === 'linear' || layer.type === 'conv1d' ? layer.keys?.kernel : undefined;
    const shape = tensors.get(key ?? `${prefix}weight_ih_l0`)?.shape ?? tensors.get(`${prefix}weight`)?.shape;
    const features = shape?.[shape.length > 1 ? 1 : 0];
    if (features !== undefined && features > 0) return { features };
  }
  return stop('it has no layer with weights');
}

const largestPath = 400;

class ScriptArchive implements Archive {
  private readonly root: PyObject;
  private readonly tensors: StateDict;
  private readonly codeOf: CodeOf;
  private readonly files = new Map<string, CodeFile | undefined>();
  private readonly modules = new Map<string, ScriptModule | undefined>();

  constructor(root: PyObject, tensors: StateDict, codeOf: CodeOf) {
    this.root = root;
    this.tensors = tensors;
    this.codeOf = codeOf;
  }

  /** The file of a module of Python: `__torch__.models` stands in `__torch__/models.py`. */
  private file(path: string): CodeFile | undefined {
    if (path.length > largestPath) return undefined;
    if (!this.files.has(path)) {
      const text = this.codeOf(`${path.replaceAll('.', '/')}.py`);
      this.files.set(path, text === undefined ? undefined : parseCode(text));
    }
    return this.files.get(path);
  }

  private object(path: string): PyObject | undefined {
    let at: unknown = this.root;
    for (const name of path === '' ? [] : path.split('.')) at = at instanceof PyObject ? at.get(name) : undefined;
    return at instanceof PyObject && at.state instanceof PyDict ? at : undefined;
  }

  module(path: string): ScriptModule | undefined {
    if (!this.modules.has(path)) this.modules.set(path, this.open(path));
    return this.modules.get(path);
  }

  private open(path: string): ScriptModule | undefined {
    const object = this.object(path);
    const code = object && this.file(object.type.module)?.classes.get(object.type.name);
    if (!code) return undefined;
    const inside = (name: string) => `${prefixOf(path)}${name}`;
    return {
      ...code,
      className: object.type.path.replace(/^__torch__\./, '').replaceAll(/\.___torch_mangle_\d+/g, ''),
      attribute: (name) => {
        const value = object.get(name);
        if (value instanceof TorchTensor) {
          return this.tensors.has(inside(name)) ? { kind: 'tensor', key: inside(name) } : undefined;
        }
        if (value instanceof PyObject) return { kind: 'module', path: inside(name) };
        return value === null || ['boolean', 'number', 'string'].includes(typeof value) ? (value as Value) : undefined;
      },
    };
  }

  function(path: string) {
    const dot = path.lastIndexOf('.');
    return path.startsWith('__torch__.') && dot > 0
      ? this.file(path.slice(0, dot))?.functions.get(path.slice(dot + 1))
      : undefined;
  }
}
