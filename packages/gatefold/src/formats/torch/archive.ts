import { fail, utf8Decode } from '@gatefold/runtime';
import { isZip, listZip, memberStart, unzip, type ZipEntry } from '../../data/zip.ts';
import { readPickle } from '../pickle/index.ts';
import { torchHost } from './host.ts';
import type { OpenedFile } from './open.ts';
import type { StorageMemory } from './tensor.ts';

const pickleLimit = 256 * 2 ** 20;
const storageLimit = 2 ** 31;
const codeLimit = 8 * 2 ** 20;
/** Storages do not overlap, and PyTorch does not compress: what is read in all stays near the file's length. */
const leeway = 256 * 2 ** 20;

/** Name of the archive's program, in whatever folder it stands; undefined where there is none. */
function programOf(entries: ReadonlyMap<string, ZipEntry>): string | undefined {
  return [...entries.keys()].find((name) => /^([^/]+\/)?data\.pkl$/.test(name));
}

/** Whether the bytes are a zip archive as PyTorch writes it since 1.6. Never throws. */
export function isTorchZip(bytes: Uint8Array): boolean {
  if (!isZip(bytes)) return false;
  try {
    return programOf(listZip(bytes)) !== undefined;
  } catch {
    return false;
  }
}

/** Takes a member out. PyTorch can be told to write no checksums: they are 0 then. */
function memberOf(bytes: Uint8Array, entry: ZipEntry, limit: number): Uint8Array {
  if (entry.crc !== 0 || entry.method !== 0 || entry.size !== entry.packed) return unzip(bytes, entry, limit);
  const start = memberStart(bytes, entry);
  return bytes.subarray(start, start + entry.size);
}

/**
 * Reads the archives of `torch.save` since 1.6 and of `torch.jit.save`: `data.pkl` and one member per storage.
 * @throws FILE_*, MODEL_UNSUPPORTED naming what the pickle wants to call
 */
export function openArchive(bytes: Uint8Array): OpenedFile {
  const entries = listZip(bytes);
  const program =
    programOf(entries) ?? fail('FILE_FORMAT', 'the archive holds no data.pkl', { place: 'zip directory' });
  const prefix = program.slice(0, -'data.pkl'.length);
  const textOf = (name: string) => {
    const entry = entries.get(prefix + name);
    return entry ? utf8Decode(memberOf(bytes, entry, 64))?.trim() : undefined;
  };
  const order = textOf('byteorder') ?? 'little';
  if (order !== 'little' && order !== 'big') {
    fail('FILE_CORRUPT', 'the byte order is not known', { place: `${prefix}byteorder`, found: order.slice(0, 20) });
  }
  const memories = new Map<string, StorageMemory>();
  let left = bytes.length + leeway;
  const memory = (key: string): StorageMemory => {
    const known = memories.get(key);
    if (known) return known;
    const entry =
      entries.get(`${prefix}data/${key}`) ??
      fail('FILE_CORRUPT', 'the archive lacks a storage', { place: `${prefix}data/${key.slice(0, 60)}` });
    left -= entry.size;
    if (left < 0) fail('FILE_TOO_LARGE', 'the storages are larger than the archive', { place: entry.name });
    const found: StorageMemory = {
      bytes: memberOf(bytes, entry, storageLimit),
      little: order === 'little',
      ...(entry.method === 0 ? { at: memberStart(bytes, entry) } : {}),
    };
    memories.set(key, found);
    return found;
  };
  const { value } = readPickle(memberOf(bytes, entries.get(program)!, pickleLimit), torchHost(memory), program);
  const scripted = entries.has(`${prefix}constants.pkl`);
  const code = (path: string) => {
    const entry = entries.get(`${prefix}code/${path}`);
    if (!entry) return undefined;
    left -= entry.size;
    if (left < 0) fail('FILE_TOO_LARGE', 'the code is larger than the archive', { place: entry.name });
    return utf8Decode(memberOf(bytes, entry, codeLimit));
  };
  return {
    root: value,
    ...(scripted ? { code } : {}),
    size: bytes.length,
    container: scripted ? 'torchscript' : 'zip',
    version: `${scripted ? 'TorchScript' : 'zip'} ${textOf('version') ?? textOf('.data/version') ?? '?'}`,
  };
}
