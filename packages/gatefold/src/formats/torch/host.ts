import { fail } from '@gatefold/runtime';
import { callPython, type PickleHost, type PickleValue, PyGlobal, PyList, PyObject } from '../pickle/index.ts';
import { type StorageMemory, storageOf, tensorOf } from './tensor.ts';

type Call = (args: readonly PickleValue[], place: string, callable: PyGlobal) => PickleValue;

const first: Call = ([value], place) => value ?? fail('FILE_CORRUPT', 'a call without arguments', { place });
const inert: Call = (args, _, callable) => new PyObject(callable, args);

const rebuilders: Readonly<Record<string, Call>> = {
  'torch._utils._rebuild_tensor': (args, place) => tensorOf(args, place),
  'torch._utils._rebuild_tensor_v2': (args, place) => tensorOf(args, place),
  'torch._utils._rebuild_tensor_v3': (args, place) => tensorOf(args, place, args[6]),
  'torch._utils._rebuild_parameter': first,
  'torch._utils._rebuild_parameter_with_state': first,
};

const calls: Readonly<Record<string, Call>> = {
  ...rebuilders,
  'torch._tensor._rebuild_from_type_v2': ([callable, , args], place) => {
    const rebuild =
      callable instanceof PyGlobal && Object.hasOwn(rebuilders, callable.path) ? rebuilders[callable.path] : undefined;
    if (!rebuild || !(args instanceof PyList)) {
      return fail('MODEL_UNSUPPORTED', 'a tensor is made in a way that is not known', {
        place,
        found: callable instanceof PyGlobal ? callable.path : 'no function',
      });
    }
    return rebuild(args.items, place, callable as PyGlobal);
  },
  'torch.jit._pickle.build_intlist': first,
  'torch.jit._pickle.build_doublelist': first,
  'torch.jit._pickle.build_boollist': first,
  'torch.jit._pickle.build_tensorlist': first,
  'torch.jit._pickle.restore_type_tag': first,
  'torch.Size': first,
  'torch.device': inert,
  'torch.Generator': inert,
  'torch.serialization._get_layout': inert,
};

/** Calls that are no danger and have no meaning here: the reason is told apart from that of hostile ones. */
const refusals: Readonly<Record<string, [string, string]>> = {
  'torch._utils._rebuild_qtensor': ['a quantized tensor of PyTorch', 'save the float model, and quantize it here'],
  'torch._utils._rebuild_sparse_tensor': ['a sparse tensor', 'save its dense form: tensor.to_dense()'],
  'torch._utils._rebuild_meta_tensor_no_storage': ['a tensor without values', 'save the model on the CPU'],
  'torch.storage._load_from_bytes': ['tensors of pickle.dump', 'save the model by torch.save'],
};

/** The meaning of the calls that PyTorch's own files make; `memory` gives the bytes of a storage by its key. */
export function torchHost(memory: (key: string) => StorageMemory): PickleHost {
  return {
    call(callable, args, place) {
      const { path } = callable;
      if (Object.hasOwn(calls, path)) return calls[path]!(args, place, callable);
      if (Object.hasOwn(refusals, path)) {
        const [what, hint] = refusals[path]!;
        fail('MODEL_UNSUPPORTED', `the file holds ${what}`, { place, found: path, hint });
      }
      return callPython(callable, args);
    },
    persistent(id, place) {
      // The classes of whole modules in older files come with their source, which is not looked at.
      if (id instanceof PyList && id.items[0] === 'module' && id.items[1] instanceof PyGlobal) return id.items[1];
      return storageOf(id, place, memory);
    },
  };
}
