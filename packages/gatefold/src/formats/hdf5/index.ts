import { fail } from '@gatefold/runtime';
import { readTexts } from './attributes.ts';
import { visit } from './cursor.ts';
import { readData } from './data.ts';
import { readLinks } from './groups.ts';
import { type Message, messageOf, messages, readHeader } from './header.ts';
import { findSignature, readSuperblock } from './superblock.ts';
import { readDataspace, readDataType, toFloat32 } from './types.ts';

// A reader of its own, not libhdf5: the C library, given damaged files, loops without end, allocates gigabytes and
// leaks, and compiled to WebAssembly it can be neither bounded nor interrupted. It reads what h5py writes by default,
// the layout of HDF5 1.6 and 1.8: superblocks 0 to 3, both forms of groups while small, and arrays that are compact,
// contiguous or chunked (gzip, shuffle, checksum). Written after the "HDF5 File Format Specification", version 3.

const maxDepth = 32;

/** Whether the bytes are an HDF5 file. */
export function isHdf5(bytes: Uint8Array): boolean {
  return findSignature(bytes) >= 0;
}

/** An array in the file; its numbers are not read before they are asked for. */
export interface Hdf5Array {
  /** Path from the file's root, without a leading "/". */
  readonly path: string;
  readonly shape: readonly number[];
  /** The numbers as float32, row-major. @throws FILE_*, MODEL_UNSUPPORTED where they are not floating-point */
  read(): Float32Array;
}

/** An open file. Names are paths from the root, which is "". */
export interface Hdf5File {
  hasGroup(path: string): boolean;
  /** Names in a group; none where it does not exist. */
  names(path: string): readonly string[];
  /** Every array under a group, at any depth, by path. */
  arrays(path: string): Map<string, Hdf5Array>;
  /** A text attribute of a group; undefined where there is none. */
  text(path: string, attribute: string): string | undefined;
  /** An attribute of a group that is a list of texts; undefined where there is none. */
  texts(path: string, attribute: string): readonly string[] | undefined;
}

/**
 * Opens an HDF5 file in memory.
 * @throws FILE_FORMAT, FILE_TRUNCATED, FILE_CORRUPT, FILE_TOO_LARGE, and FILE_VERSION for layouts that h5py writes on
 * request only; so do the methods of what it returns
 */
export function openHdf5(bytes: Uint8Array): Hdf5File {
  const { source, root } = readSuperblock(bytes);
  const headers = new Map<number, readonly Message[]>();
  const headerAt = (address: number, path: string): readonly Message[] => {
    let header = headers.get(address);
    if (!header) {
      header = readHeader(source, address, path);
      headers.set(address, header);
    }
    return header;
  };
  const linksAt = new Map<number, Map<string, number> | undefined>();
  const linksOf = (address: number, path: string): Map<string, number> | undefined => {
    if (!linksAt.has(address)) linksAt.set(address, readLinks(source, headerAt(address, path), path));
    return linksAt.get(address);
  };
  /** The address of an object; undefined where a part of the path does not exist. */
  const find = (path: string): number | undefined => {
    let address: number | undefined = root;
    let reached = '';
    for (const name of path === '' ? [] : path.split('/')) {
      address = address === undefined ? undefined : linksOf(address, reached)?.get(name);
      reached = reached === '' ? name : `${reached}/${name}`;
    }
    return address;
  };
  const array = (address: number, path: string): Hdf5Array | undefined => {
    const header = headerAt(address, path);
    const space = messageOf(header, messages.dataspace);
    const type = messageOf(header, messages.datatype);
    if (!space || !type) return undefined;
    const shape = readDataspace(space) ?? [0];
    const dataType = readDataType(type);
    return { path, shape, read: () => toFloat32(readData(source, header, shape, dataType.size, path), dataType, path) };
  };
  const collect = (address: number, path: string, depth: number, found: Map<string, Hdf5Array>): void => {
    if (depth > maxDepth) fail('FILE_CORRUPT', 'groups are nested too deeply', { place: path.slice(0, 120) });
    visit(source);
    const links = linksOf(address, path);
    if (!links) {
      const single = array(address, path);
      if (single) found.set(path, single);
      return;
    }
    for (const [name, child] of links) collect(child, path === '' ? name : `${path}/${name}`, depth + 1, found);
  };
  const texts = (path: string, attribute: string): string[] | undefined => {
    const address = find(path);
    return address === undefined ? undefined : readTexts(source, headerAt(address, path), attribute, path);
  };
  return {
    hasGroup(path) {
      const address = find(path);
      return address !== undefined && linksOf(address, path) !== undefined;
    },
    names(path) {
      const address = find(path);
      return address === undefined ? [] : [...(linksOf(address, path)?.keys() ?? [])];
    },
    arrays(path) {
      const found = new Map<string, Hdf5Array>();
      const address = find(path);
      if (address !== undefined) collect(address, path, 0, found);
      return found;
    },
    text: (path, attribute) => texts(path, attribute)?.[0],
    texts,
  };
}
