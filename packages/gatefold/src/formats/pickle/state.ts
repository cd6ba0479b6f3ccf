import { fail } from '@gatefold/runtime';
import type { PickleCursor } from './cursor.ts';
import { type PickleValue, PyDict, PyGlobal, PyList, PyObject } from './values.ts';

/** What a pickle may ask for beside plain data. Nothing else can be called. */
export interface PickleHost {
  /**
   * The value of a call, where the callable is one of those whose meaning is known; undefined for every other. The
   * callable is a name: what is done with the arguments is the host's own code.
   */
  call(callable: PyGlobal, args: readonly PickleValue[], place: string): PickleValue | undefined;
  /** The value of a persistent id (a storage). */
  persistent(id: PickleValue, place: string): PickleValue;
}

const mark = Symbol('mark');
type Slot = PickleValue | typeof mark;

/** Modules that have no place in a file of weights: naming them is refused even where nothing is called. */
const hostile = new Set([
  ...['os', 'posix', 'nt', 'ntpath', 'posixpath', 'subprocess', 'sys', 'shutil', 'socket', 'ctypes', 'importlib'],
  ...['runpy', 'pty', 'pickle', '_pickle', 'marshal', 'multiprocessing', 'threading', 'webbrowser', 'urllib'],
  ...['ftplib', 'smtplib', 'pkgutil', 'zipimport', 'bdb', 'pdb', 'timeit', 'asyncio', 'tempfile', 'pip', 'setuptools'],
]);
const hostileBuiltins = new Set([
  ...['eval', 'exec', 'compile', 'open', '__import__', 'getattr', 'setattr', 'delattr', 'globals', 'locals', 'vars'],
  ...['input', 'breakpoint', 'exit', 'quit', 'apply', 'execfile', 'file'],
]);

/** Values on the heap that a program may make: far above any model's, far below what fills the memory. */
const mostObjects = 2_000_000;
const longestName = 256;

/** The stack and the memo of a pickle's program, and what its instructions do with them. */
export class PickleState {
  readonly cursor: PickleCursor;
  private readonly host: PickleHost;
  private readonly stack: Slot[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private objects = 0;

  constructor(cursor: PickleCursor, host: PickleHost) {
    this.cursor = cursor;
    this.host = host;
  }

  corrupt(message: string): never {
    return fail('FILE_CORRUPT', message, { place: this.cursor.where() });
  }

  push(value: PickleValue): void {
    if ((typeof value === 'object' && value !== null) || typeof value === 'bigint') this.count(++this.objects);
    this.stack.push(value);
  }

  private count(objects: number): void {
    if (objects <= mostObjects) return;
    fail('FILE_TOO_LARGE', 'the pickle makes too many objects', {
      place: this.cursor.where(),
      expected: `at most ${mostObjects}`,
    });
  }

  pushMark(): void {
    this.stack.push(mark);
  }

  pop(): PickleValue {
    const value = this.stack.pop();
    if (value === undefined || value === mark) return this.corrupt('the pickle takes a value that is not there');
    return value;
  }

  /** Takes a value, or a mark. */
  drop(): void {
    if (this.stack.pop() === undefined) this.corrupt('the pickle takes a value that is not there');
  }

  top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === mark) return this.corrupt('the pickle takes a value that is not there');
    return value;
  }

  popToMark(): PickleValue[] {
    const at = this.stack.lastIndexOf(mark);
    if (at < 0) return this.corrupt('the pickle has no mark where it needs one');
    const values = this.stack.splice(at) as PickleValue[];
    values.shift();
    return values;
  }

  /** The last value, which must be the only one. */
  result(): PickleValue {
    const value = this.pop();
    if (this.stack.length > 0) this.corrupt('values are left when the pickle stops');
    return value;
  }

  put(index: number | bigint): void {
    this.memo.set(this.index(index), this.top());
    this.count(this.memo.size);
  }

  memoize(): void {
    this.put(this.memo.size);
  }

  get(index: number | bigint): void {
    const value = this.memo.get(this.index(index));
    if (value === undefined) this.corrupt('the pickle refers to a value that it did not store');
    this.stack.push(value);
  }

  private index(value: number | bigint): number {
    return typeof value === 'number' && value >= 0 ? value : this.corrupt('an index in the pickle is malformed');
  }

  /** Names a class or function. @throws MODEL_UNSUPPORTED for those that no model has a use for */
  global(module: PickleValue, name: PickleValue): void {
    if (typeof name !== 'string' || typeof module !== 'string') this.corrupt('a name in the pickle is no text');
    if (name.length > longestName || module.length > longestName) this.corrupt('a name in the pickle is too long');
    const root = module.split('.')[0]!;
    const isBuiltin = root === 'builtins' || root === '__builtin__';
    if (hostile.has(root) || (isBuiltin && hostileBuiltins.has(name.split('.')[0]!))) {
      refuseGlobal(new PyGlobal(module, name), 'names', this.cursor.where());
    }
    this.push(new PyGlobal(module, name));
  }

  /** The value of a call. @throws MODEL_UNSUPPORTED naming what is called, unless the host knows its meaning */
  call(callable: PickleValue, args: readonly PickleValue[]): void {
    const place = this.cursor.where();
    if (!(callable instanceof PyGlobal)) this.corrupt('the pickle calls what is no function');
    const value = this.host.call(callable, args, place);
    this.push(value === undefined ? refuseGlobal(callable, 'calls', place) : value);
  }

  /** An object made from its class without calling it: inert, whatever the class is. */
  object(type: PickleValue, args: readonly PickleValue[]): void {
    if (!(type instanceof PyGlobal)) this.corrupt('the pickle makes an object of what is no class');
    this.push(this.host.call(type, args, this.cursor.where()) ?? new PyObject(type, args));
  }

  /** Arguments of a call. */
  popItems(): readonly PickleValue[] {
    const value = this.pop();
    return value instanceof PyList ? value.items : this.corrupt('the pickle calls with what are no arguments');
  }

  extend(values: readonly PickleValue[]): void {
    const target = this.top();
    const isList = target instanceof PyList && target.kind !== 'tuple';
    const list = isList ? target.items : target instanceof PyObject ? target.list : undefined;
    for (const value of values) (list ?? this.corrupt('the pickle appends to what is no list')).push(value);
  }

  setItems(values: readonly PickleValue[]): void {
    const target = this.top();
    const dict = target instanceof PyObject ? target.dict : target;
    if (!(dict instanceof PyDict) || values.length % 2 !== 0) this.corrupt('the pickle sets items of no dict');
    for (let i = 0; i < values.length; i += 2) dict.entries.set(values[i]!, values[i + 1]!);
  }

  build(state: PickleValue): void {
    const target = this.top();
    // Attributes of dicts and of the host's values say nothing about weights.
    if (target instanceof PyObject) target.state = attributesOf(state);
  }

  persistent(id: PickleValue): void {
    this.push(this.host.persistent(id, this.cursor.where()));
  }
}

function refuseGlobal(global: PyGlobal, verb: string, place: string): never {
  return fail('MODEL_UNSUPPORTED', `the pickle ${verb} "${global.path}", and nothing in a file is executed`, {
    place,
    hint: 'if you trust the file, save its weights alone: torch.save(model.state_dict(), path)',
  });
}

/** State may come with attributes of slots: (attributes, slots). */
function attributesOf(state: PickleValue): PickleValue {
  const [first] = state instanceof PyList && state.kind === 'tuple' && state.items.length === 2 ? state.items : [];
  return first instanceof PyDict ? first : state;
}
