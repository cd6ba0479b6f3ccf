import { type PickleValue, PyDict, PyGlobal, PyList, PyObject } from './values.ts';

/** Calls of Python's own types, and of NumPy's, that mean nothing but data. */
const calls: Readonly<Record<string, (callable: PyGlobal, args: readonly PickleValue[]) => PickleValue>> = {
  'collections.OrderedDict': (_, args) => dictOf(args[0]),
  'collections.defaultdict': (_, args) => dictOf(args[1]),
  'collections.Counter': (_, args) => dictOf(args[0]),
  'builtins.dict': (_, args) => dictOf(args[0]),
  'builtins.set': (_, args) => listOf('set', args[0]),
  'builtins.frozenset': (_, args) => listOf('set', args[0]),
  'builtins.list': (_, args) => listOf('list', args[0]),
  'builtins.tuple': (_, args) => listOf('tuple', args[0]),
  'builtins.bytearray': inert,
  'builtins.complex': inert,
  'builtins.slice': inert,
  'builtins.range': inert,
  // Makes an object of its first argument, a class, as protocols 0 and 1 write it.
  'copyreg._reconstructor': (callable, [type]) =>
    type instanceof PyGlobal ? new PyObject(type, []) : inert(callable, []),
  '_codecs.encode': inert,
  'numpy.dtype': inert,
  'numpy.core.multiarray._reconstruct': inert,
  'numpy.core.numeric._frombuffer': inert,
  'numpy.core.multiarray.scalar': (callable, args) => numberOf(args) ?? inert(callable, args),
  'numpy.random._pickle.__randomstate_ctor': inert,
  'numpy.random._pickle.__generator_ctor': inert,
  'numpy.random._pickle.__bit_generator_ctor': inert,
  'datetime.datetime': inert,
  'datetime.date': inert,
  'datetime.timedelta': inert,
  'pathlib.Path': inert,
  'pathlib.PosixPath': inert,
  'pathlib.WindowsPath': inert,
  'pathlib.PurePosixPath': inert,
  'decimal.Decimal': inert,
  'fractions.Fraction': inert,
  'uuid.UUID': inert,
};

const renamed: Readonly<Record<string, string>> = {
  __builtin__: 'builtins',
  copy_reg: 'copyreg',
  'numpy._core.multiarray': 'numpy.core.multiarray',
  'numpy._core.numeric': 'numpy.core.numeric',
  'pathlib._local': 'pathlib',
};

/** The value of a call of the standard library or NumPy; undefined where its meaning is not known. */
export function callPython(callable: PyGlobal, args: readonly PickleValue[]): PickleValue | undefined {
  const module = Object.hasOwn(renamed, callable.module) ? renamed[callable.module]! : callable.module;
  const path = `${module}.${callable.name}`;
  return Object.hasOwn(calls, path) ? calls[path]!(callable, args) : undefined;
}

function inert(callable: PyGlobal, args: readonly PickleValue[]): PickleValue {
  return new PyObject(callable, args);
}

/** What was made of a list of pairs: a pickle may ask for it a million times. */
const dictsOfPairs = new WeakMap<PyList, PyDict>();

/** A dict from nothing, from another dict, or from pairs, as Python 2 wrote ordered dicts. Nothing is copied twice. */
function dictOf(value: PickleValue | undefined): PyDict {
  if (value instanceof PyDict) return value;
  const out = (value instanceof PyList ? dictsOfPairs.get(value) : undefined) ?? new PyDict();
  if (!(value instanceof PyList) || dictsOfPairs.has(value)) return out;
  dictsOfPairs.set(value, out);
  for (const pair of value.items) {
    if (pair instanceof PyList && pair.items.length === 2) out.entries.set(pair.items[0]!, pair.items[1]!);
  }
  return out;
}

/** Shares the items: copies could be asked for without end. */
function listOf(kind: 'list' | 'tuple' | 'set', value: PickleValue | undefined): PyList {
  return new PyList(kind, value instanceof PyList ? value.items : []);
}

/** The bytes of a NumPy scalar: bytes, or a text that stands for them in Latin-1. */
function scalarBytes(value: PickleValue | undefined): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  const text = value instanceof PyObject && value.type.path === '_codecs.encode' ? value.args[0] : value;
  if (typeof text !== 'string' || text.length > 16) return undefined;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A NumPy scalar, (dtype, bytes), of the types that hold plain numbers. */
function numberOf([dtype, stored]: readonly PickleValue[]): PickleValue | undefined {
  const bytes = scalarBytes(stored);
  if (!(dtype instanceof PyObject) || !bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [code] = dtype.args;
  if (code === 'f8' && bytes.length === 8) return view.getFloat64(0, true);
  if (code === 'f4' && bytes.length === 4) return view.getFloat32(0, true);
  if (code === 'i4' && bytes.length === 4) return view.getInt32(0, true);
  if (code === 'i8' && bytes.length === 8) return Number(view.getBigInt64(0, true));
  if (code === 'b1' && bytes.length === 1) return view.getUint8(0) !== 0;
  return undefined;
}
