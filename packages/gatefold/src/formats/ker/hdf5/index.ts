import { fail } from '@gatefold/runtime';
import { withLibrary } from './library.ts';
import type { H5Metadata, H5Module } from './types.ts';
import { fixedTexts, pointedTexts, takeBytes, toFloat32, typeName } from './values.ts';

const maxMembers = 50_000;
const maxDepth = 32;
const maxArrayBytes = 2 ** 30;
/** Deflate, the only compression in use, expands by at most this. */
const maxRatio = 1032;

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** Whether the bytes are an HDF5 file: its signature stands at 0 or, after a user block, at 512, 1024, 2048, … */
export function isHdf5(bytes: Uint8Array): boolean {
  for (let at = 0; at + 8 <= bytes.length; at = at === 0 ? 512 : at * 2) {
    if (signature.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

/** An array in the file; nothing of it is read before it is asked for. */
export interface Hdf5Array {
  /** Path from the file's root, without a leading "/". */
  readonly path: string;
  readonly shape: readonly number[];
  /** The numbers as float32, row-major. @throws FILE_CORRUPT, FILE_TOO_LARGE, MODEL_UNSUPPORTED */
  read(): Float32Array;
}

/** An open file. Names are paths from the root, which is "". */
export interface Hdf5File {
  hasGroup(path: string): boolean;
  /** Names in a group. */
  names(path: string): readonly string[];
  /** Every array under a group, at any depth, by path. */
  arrays(path: string): Map<string, Hdf5Array>;
  /** A text attribute; undefined where there is none. */
  text(path: string, attribute: string): string | undefined;
  /** An attribute that is a list of texts; undefined where there is none. */
  texts(path: string, attribute: string): readonly string[] | undefined;
}

/**
 * Opens an HDF5 file in memory for the time of `use`.
 * @throws FILE_CORRUPT where it cannot be read, FILE_TOO_LARGE, and what `use` throws
 */
export function withHdf5<T>(bytes: Uint8Array, use: (file: Hdf5File) => T): Promise<T> {
  return withLibrary(bytes, (module, file) => use(openTree(module, file, bytes.length)));
}

function openTree(module: H5Module, file: bigint, fileBytes: number): Hdf5File {
  let members = 0;
  const typeOf = (path: string) => (path === '' ? module.H5G_GROUP : module.get_type(file, `/${path}`));
  const names = (path: string): string[] => {
    const list = module.get_names(file, `/${path}`, false);
    members += list.length;
    if (members > maxMembers) fail('FILE_TOO_LARGE', 'the file has too many members', { expected: `at most ${maxMembers}` });
    return list;
  };

  const arrays = new Map<string, Hdf5Array>();
  const visit = (path: string, depth: number): void => {
    if (depth > maxDepth) fail('FILE_CORRUPT', 'groups are nested too deeply', { place: path.slice(0, 120) });
    for (const name of names(path)) {
      const child = path === '' ? name : `${path}/${name}`;
      const type = typeOf(child);
      if (type === module.H5G_GROUP) visit(child, depth + 1);
      else if (type === module.H5G_DATASET) arrays.set(child, openArray(module, file, child, fileBytes));
    }
  };

  const attributeNames = new Map<string, Set<string>>();
  const texts = (path: string, attribute: string): string[] | undefined => {
    let known = attributeNames.get(path);
    if (!known) attributeNames.set(path, (known = new Set(module.get_attribute_names(file, `/${path}`))));
    return known.has(attribute) ? readTexts(module, file, path, attribute, fileBytes) : undefined;
  };

  return {
    hasGroup: (path) => typeOf(path) === module.H5G_GROUP,
    names,
    arrays(path) {
      visit(path, 0);
      const inside = path === '' ? '' : `${path}/`;
      return new Map([...arrays].filter(([key]) => key.startsWith(inside)));
    },
    text: (path, attribute) => texts(path, attribute)?.[0],
    texts,
  };
}

/** An attribute of texts, or of nothing: h5py writes an empty list as no numbers at all. */
function readTexts(module: H5Module, file: bigint, path: string, attribute: string, fileBytes: number): string[] {
  const place = `${path}@${attribute}`;
  const metadata = module.get_attribute_metadata(file, `/${path}`, attribute);
  const count = metadata.shape === null ? 0 : metadata.total_size;
  if (count === 0) return [];
  if (metadata.type !== 3) fail('FILE_CORRUPT', 'an attribute is not text', { place, found: typeName(metadata) });
  const size = metadata.vlen ? 4 : metadata.size;
  const bytes = checkSize({ ...metadata, size }, place, fileBytes);
  return takeBytes(
    module,
    bytes,
    (pointer) => module.get_attribute_data(file, `/${path}`, attribute, pointer),
    (data, pointer) => {
      if (!metadata.vlen) return fixedTexts(data, size, count, place);
      const found = pointedTexts(module.HEAPU8, data, count, place);
      module.reclaim_vlen_memory(file, `/${path}`, attribute, pointer);
      return found;
    },
  );
}

function openArray(module: H5Module, file: bigint, path: string, fileBytes: number): Hdf5Array {
  let known: H5Metadata | undefined;
  const metadata = () => (known ??= module.get_dataset_metadata(file, `/${path}`));
  return {
    path,
    get shape() {
      return metadata().shape ?? [0];
    },
    read() {
      const type = typeName(metadata());
      const bytes = checkSize(metadata(), path, fileBytes);
      const numbers = takeBytes(
        module,
        bytes,
        (pointer) => module.get_dataset_data(file, `/${path}`, null, null, null, pointer),
        (data) => toFloat32(data, type),
      );
      return (
        numbers ??
        fail('MODEL_UNSUPPORTED', 'weights of this type are not read', {
          place: path,
          expected: 'float16, float32 or float64',
          found: type,
          hint: 'save the model in float32',
        })
      );
    },
  };
}

/** Bytes of a value, where the file can hold it. */
function checkSize({ size, shape, total_size: count }: H5Metadata, place: string, fileBytes: number): number {
  const bytes = size * count;
  const limit = Math.min(maxArrayBytes, fileBytes * maxRatio);
  if (!(Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= limit)) {
    fail('FILE_TOO_LARGE', 'the file claims to hold more than it can', {
      place,
      expected: `at most ${limit} bytes`,
      found: `[${shape?.join(', ') ?? ''}], ${bytes} bytes`,
    });
  }
  return bytes;
}
