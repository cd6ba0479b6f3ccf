import { fail } from '@gatefold/runtime';
import { PyDict, PyObject } from '../pickle/index.ts';
import type { ModuleEntry, StateTensor } from '../state-dict/index.ts';
import { type Budget, plainOf } from './plain.ts';
import { TorchTensor } from './tensor.ts';

const deepest = 64;
const mostModules = 20_000;
const longestName = 256;
const sequential = 'torch.nn.modules.container.Sequential';

/** Whether an object is a module: one of `torch.save(model)`, or of a TorchScript archive. */
export function isModule(value: unknown): value is PyObject {
  return value instanceof PyObject && (isScripted(value) || value.get('_modules') instanceof PyDict);
}

function isScripted({ type }: PyObject): boolean {
  return type.module.startsWith('__torch__');
}

/** The class as PyTorch names it, without what TorchScript adds. */
function classOf({ type }: PyObject): string {
  return type.path.replace(/^__torch__\./, '').replace(/\.___torch_mangle_\d+/g, '');
}

interface Parts {
  readonly tensors: Map<string, StateTensor>;
  readonly children: [string, PyObject][];
  readonly options: Record<string, unknown>;
}

/** Modules keep tensors and children apart; TorchScript keeps everything as attributes. */
function partsOf(module: PyObject, place: string, budget: Budget): Parts {
  const parts: Parts = { tensors: new Map(), children: [], options: Object.create(null) };
  const attributes = module.state instanceof PyDict ? module.state : new PyDict();
  const scripted = isScripted(module);
  const sort = (dict: PyDict) => {
    budget.left -= dict.entries.size;
    if (budget.left < 0) fail('FILE_TOO_LARGE', 'the modules have too many parts', { place: place.slice(0, 120) });
    for (const [name, value] of dict.entries) {
      if (typeof name !== 'string' || name.length > longestName)
        fail('FILE_CORRUPT', 'a module has a part without a name, or with a very long one', {
          place: place.slice(0, 120),
        });
      // Empty tensors are state that a script keeps, not weights.
      if (value instanceof TorchTensor && !value.shape.includes(0)) parts.tensors.set(name, value);
      else if (isModule(value)) parts.children.push([name, value]);
      else if (value !== null && dict !== attributes && !(value instanceof TorchTensor)) {
        fail('MODEL_UNSUPPORTED', 'a module has a part that is no tensor and no module', { place: `${place}.${name}` });
      }
    }
  };
  if (scripted) sort(attributes);
  else {
    for (const name of ['_parameters', '_buffers', '_modules']) {
      const dict = attributes.get(name);
      if (dict instanceof PyDict) sort(dict);
    }
  }
  budget.left -= attributes.entries.size;
  for (const [name, value] of attributes.entries) {
    const plain = typeof name === 'string' && !name.startsWith('_') ? plainOf(value, budget) : undefined;
    if (plain !== undefined) parts.options[name as string] = plain;
  }
  return parts;
}

/**
 * The modules of a whole model in the order in which they were defined, each with its class, options and own tensors.
 * Shared modules appear at each of their places.
 * @throws FILE_TOO_LARGE, FILE_CORRUPT, MODEL_UNSUPPORTED
 */
export function modulesOf(root: PyObject): ModuleEntry[] {
  const out: ModuleEntry[] = [];
  const budget = { left: 2_000_000 };
  const walk = (module: PyObject, path: string, sequence: string | undefined, depth: number): void => {
    if (depth > deepest || out.length >= mostModules)
      fail('FILE_TOO_LARGE', 'the model has too many modules, or they contain each other', {
        place: path.slice(0, 120),
      });
    const className = classOf(module);
    const { tensors, children, options } = partsOf(module, path, budget);
    const isContainer = children.length > 0;
    if (!isContainer || tensors.size > 0) {
      out.push({ path, className, options, tensors, ...(sequence === undefined ? {} : { sequence }) });
    }
    const inner = className === sequential ? path || 'root' : undefined;
    for (const [name, child] of children) walk(child, path === '' ? name : `${path}.${name}`, inner, depth + 1);
  };
  walk(root, '', undefined, 0);
  return out;
}
