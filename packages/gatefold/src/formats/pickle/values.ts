/**
 * What a pickle holds, as data. Nothing here is executable: classes and functions are names, and objects are the state
 * that was stored for them.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyList
  | PyDict
  | PyGlobal
  | PyObject
  | PickleExtension;

/** Values that the caller's functions make (tensors, storages); the machine only passes them on. */
export abstract class PickleExtension {
  abstract readonly kind: string;
}

/** A list, tuple or set. */
export class PyList {
  readonly kind: 'list' | 'tuple' | 'set';
  readonly items: PickleValue[];

  constructor(kind: 'list' | 'tuple' | 'set', items: PickleValue[] = []) {
    this.kind = kind;
    this.items = items;
  }
}

/** A dict or a subclass of it; keys in order. Attributes set on the dict itself are dropped. */
export class PyDict {
  readonly entries = new Map<PickleValue, PickleValue>();

  /** The value of a key that is a string. */
  get(key: string): PickleValue | undefined {
    return this.entries.get(key);
  }
}

/** A class or function, by name only. */
export class PyGlobal {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of a class that is not known: what was stored for it, inert. */
export class PyObject {
  readonly type: PyGlobal;
  readonly args: readonly PickleValue[];
  /** Keys and values of a subclass of dict. */
  readonly dict = new PyDict();
  /** Items of a subclass of list. */
  readonly list: PickleValue[] = [];
  state: PickleValue | undefined;

  constructor(type: PyGlobal, args: readonly PickleValue[]) {
    this.type = type;
    this.args = args;
  }

  /** An attribute, where the stored state is a dict of attributes. */
  get(name: string): PickleValue | undefined {
    return this.state instanceof PyDict ? this.state.get(name) : undefined;
  }
}
