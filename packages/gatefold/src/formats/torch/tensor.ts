import { fail } from '@gatefold/runtime';
import { PickleExtension, type PickleValue, PyGlobal, PyList } from '../pickle/index.ts';
import { decodeNumbers, elementSize, gatherBytes, type Layout } from '../state-dict/numbers.ts';
import type { StateTensor, StoredType } from '../state-dict/types.ts';

const storageTypes: Readonly<Record<string, StoredType>> = {
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

const dataTypes: Readonly<Record<string, StoredType>> = {
  float32: 'F32',
  float: 'F32',
  float64: 'F64',
  double: 'F64',
  float16: 'F16',
  half: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  long: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};

/** Memory that tensors look at. `bytes` is there once the container has been read so far. */
export class TorchStorage extends PickleExtension {
  readonly kind = 'storage';
  readonly key: string;
  /** Undefined where the tensor itself tells its type. */
  readonly type: StoredType | undefined;
  /** Elements that the pickle claims, or bytes without a type. */
  readonly count: number;
  /** Elements before a view of older files. */
  readonly viewOffset: number;
  readonly memory: (key: string) => StorageMemory;

  constructor(
    key: string,
    type: StoredType | undefined,
    count: number,
    viewOffset: number,
    memory: (key: string) => StorageMemory,
  ) {
    super();
    this.key = key;
    this.type = type;
    this.count = count;
    this.viewOffset = viewOffset;
    this.memory = memory;
  }
}

/** Bytes of a storage, and where they stand in the file if they stand there as they are. */
export interface StorageMemory {
  readonly bytes: Uint8Array;
  readonly at?: number;
  readonly little: boolean;
}

export class TorchTensor extends PickleExtension implements StateTensor {
  readonly kind = 'tensor';
  readonly storage: TorchStorage;
  readonly dtype: StoredType;
  readonly layout: Layout;

  constructor(storage: TorchStorage, dtype: StoredType, layout: Layout) {
    super();
    this.storage = storage;
    this.dtype = dtype;
    this.layout = layout;
  }

  get shape(): readonly number[] {
    return this.layout.shape;
  }

  get identity(): string {
    const { offset, shape, stride } = this.layout;
    return JSON.stringify([this.storage.key, this.dtype, offset, shape, stride]);
  }

  /** The storage's memory, long enough for every element of the tensor. @throws FILE_CORRUPT, FILE_TRUNCATED */
  memory(): StorageMemory {
    const { offset, shape, stride } = this.layout;
    const memory = this.storage.memory(this.storage.key);
    const isEmpty = shape.some((n) => n === 0);
    const last = shape.reduce((sum, n, i) => sum + (n - 1) * stride[i]!, offset);
    const needed = isEmpty ? 0 : (last + 1) * elementSize[this.dtype];
    if (needed > memory.bytes.length) {
      fail('FILE_CORRUPT', 'a tensor looks beyond its storage', {
        place: `storage ${this.storage.key}`,
        expected: `at least ${needed} bytes`,
        found: `${memory.bytes.length}`,
      });
    }
    return memory;
  }

  values(): Float32Array {
    const { bytes, little } = this.memory();
    return decodeNumbers(bytes, this.dtype, this.layout, little);
  }

  raw(): Uint8Array {
    const { bytes, little } = this.memory();
    return gatherBytes(bytes, this.dtype, this.layout, little);
  }
}

/** The storage of a persistent id: ('storage', type, key, location, count[, view]). */
export function storageOf(id: PickleValue, place: string, memory: (key: string) => StorageMemory): TorchStorage {
  const corrupt = (found: string): never =>
    fail('FILE_CORRUPT', 'a persistent id of the pickle is no storage', { place, found });
  if (!(id instanceof PyList)) return corrupt('no tuple');
  const [word, type, key, , count, view] = id.items;
  if (word !== 'storage' || !(type instanceof PyGlobal) || typeof key !== 'string' || !isCount(count)) {
    return corrupt(typeof word === 'string' ? word.slice(0, 40) : 'another value');
  }
  const untyped = type.name === 'UntypedStorage';
  const known = Object.hasOwn(storageTypes, type.name) ? storageTypes[type.name] : undefined;
  if (!untyped && !known) {
    fail('MODEL_UNSUPPORTED', `storages of type ${type.path} are not known`, {
      place,
      expected: Object.keys(storageTypes).join(', '),
      ...(type.name.startsWith('Q')
        ? { hint: 'the model is quantized: save the float model, and quantize it here' }
        : {}),
    });
  }
  const offset = view instanceof PyList ? view.items[1] : 0;
  return new TorchStorage(key, known, count, isCount(offset) ? offset : corrupt('a malformed view'), memory);
}

/** A tensor of the arguments of `_rebuild_tensor`: (storage, offset, size, stride, …), and its type where that is apart. */
export function tensorOf(args: readonly PickleValue[], place: string, type?: PickleValue): TorchTensor {
  const [storage, offset, size, stride] = args;
  const shape = countsOf(size);
  const strides = countsOf(stride);
  if (!(storage instanceof TorchStorage) || !isCount(offset) || !shape || !strides || shape.length !== strides.length) {
    return fail('FILE_CORRUPT', 'a tensor of the pickle is malformed', { place });
  }
  const named = type instanceof PyGlobal && Object.hasOwn(dataTypes, type.name) ? dataTypes[type.name] : undefined;
  const dtype = storage.type ?? named;
  if (!dtype) {
    return fail('MODEL_UNSUPPORTED', 'a tensor of a type that is not known', {
      place,
      found: type instanceof PyGlobal ? type.path : 'no type',
    });
  }
  const total = shape.reduce((product, n) => product * n, 1);
  const room = storage.type ? storage.count : storage.count / elementSize[dtype];
  if (total > room) {
    // Expanded tensors repeat their memory: weights never do, and the claim could be of any size.
    fail('FILE_CORRUPT', 'a tensor has more elements than its storage', {
      place,
      expected: `at most ${room}`,
      found: `[${shape.join(', ')}]`,
    });
  }
  return new TorchTensor(storage, dtype, { offset: offset + storage.viewOffset, shape, stride: strides });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function countsOf(value: PickleValue | undefined): number[] | undefined {
  if (!(value instanceof PyList) || value.items.length > 8) return undefined;
  return value.items.every(isCount) ? (value.items as number[]) : undefined;
}
