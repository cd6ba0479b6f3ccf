import { fail } from '@gatefold/runtime';
import { type PickleHost, PyList, readPickle } from '../pickle/index.ts';
import { elementSize } from '../state-dict/numbers.ts';
import { torchHost } from './host.ts';
import type { OpenedFile } from './open.ts';
import { type StorageMemory, TorchStorage } from './tensor.ts';

/** Protocol 2, then the number 0x1950a86a20f9469cfc6c. */
const magic = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const protocol = 1001;

/** Whether the bytes start like a file of `torch.save` before 1.6: a pickle of its magic number. */
export function isTorchLegacy(bytes: Uint8Array): boolean {
  return bytes.length > magic.length && magic.every((byte, i) => bytes[i] === byte);
}

/** Whether the bytes are the tar archive of PyTorch before 0.1.10. */
export function isTorchTar(bytes: Uint8Array): boolean {
  const text = String.fromCharCode(...bytes.subarray(0, 16));
  const format = String.fromCharCode(...bytes.subarray(257, 262));
  return format === 'ustar' && /^(\.\/)?(sys_info|pickle|storages|tensors)/.test(text);
}

/** Plain data only: the pickles around the model's. */
const plain: PickleHost = {
  call: () => undefined,
  persistent: (_, place) => fail('FILE_CORRUPT', 'a storage stands where none can be', { place }),
};

/**
 * Reads a file of `torch.save` before 1.6: pickles of the magic number, the protocol, the system, the model and the
 * keys of its storages, then the storages, each after the number of its elements.
 * @throws FILE_*, MODEL_UNSUPPORTED naming what the pickle wants to call
 */
export function openLegacy(bytes: Uint8Array): OpenedFile {
  const memories = new Map<string, StorageMemory>();
  const memory = (key: string): StorageMemory =>
    memories.get(key) ?? fail('FILE_CORRUPT', 'the file lacks a storage', { place: `storage ${key.slice(0, 60)}` });
  let at = readPickle(bytes, plain, 'magic number').end;
  const version = readPickle(bytes, plain, 'protocol', at);
  if (version.value !== protocol) {
    fail('FILE_VERSION', 'the file is of a protocol that is not known', {
      expected: `${protocol}`,
      found: String(version.value).slice(0, 20),
    });
  }
  at = readPickle(bytes, plain, 'system', version.end).end;
  const types = new Map<string, number>();
  const host = torchHost(memory);
  const model = readPickle(
    bytes,
    {
      ...host,
      persistent(id, place) {
        const value = host.persistent(id, place);
        if (value instanceof TorchStorage) types.set(value.key, value.type ? elementSize[value.type] : 1);
        return value;
      },
    },
    'pickle',
    at,
  );
  const keys = readPickle(bytes, plain, 'storage keys', model.end);
  if (!(keys.value instanceof PyList)) fail('FILE_CORRUPT', 'the keys of the storages are no list');
  at = keys.end;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of keys.value.items) {
    const place = `storage ${String(key).slice(0, 60)}`;
    const size = typeof key === 'string' ? types.get(key) : undefined;
    if (size === undefined || typeof key !== 'string' || memories.has(key))
      return fail('FILE_CORRUPT', 'a storage is listed that no tensor uses, or twice', { place });
    if (at + 8 > bytes.length) fail('FILE_TRUNCATED', 'the file ends before a storage', { place });
    const length = Number(view.getBigUint64(at, true)) * size;
    at += 8;
    if (length > bytes.length - at) {
      fail('FILE_TRUNCATED', 'the file ends inside a storage', {
        place,
        expected: `${length} bytes`,
        found: `${bytes.length - at}`,
      });
    }
    memories.set(key, { bytes: bytes.subarray(at, at + length), at, little: true });
    at += length;
  }
  if (at !== bytes.length)
    fail('FILE_CORRUPT', 'bytes follow the last storage', { place: `byte ${at}`, found: `${bytes.length - at} bytes` });
  return { root: model.value, size: bytes.length, container: 'legacy', version: `legacy ${protocol}` };
}
