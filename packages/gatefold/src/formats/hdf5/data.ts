import { fail } from '@gatefold/runtime';
import { unzlibSync } from 'fflate';
import { Cursor, type Source, visit } from './cursor.ts';
import { treeLeaves } from './groups.ts';
import { type Message, messageOf, messages } from './header.ts';

const maxArrayBytes = 2 ** 30;
/** Deflate expands by at most this. */
const maxRatio = 1032;

/** The bytes of an array, row-major. `size` is of one element. */
export function readData(
  source: Source,
  header: readonly Message[],
  shape: readonly number[],
  size: number,
  place: string,
): Uint8Array {
  const layout = messageOf(header, messages.layout) ?? fail('FILE_CORRUPT', 'an array has no layout', { place });
  const bytes = checkSize(source, shape, size, place);
  const version = layout.u8();
  if (version < 1 || version > 4) layout.corrupt('has a layout of an unknown version', { found: `${version}` });
  const rank = version < 3 ? layout.u8() : 0;
  const kind = layout.u8();
  if (version < 3) layout.skip(5);
  if (kind === 0) {
    if (version < 3) layout.skip(4 * rank);
    return exactly(layout.slice(version < 3 ? layout.u32() : layout.u16()), bytes, place);
  }
  if (kind === 1) {
    const address = layout.offset();
    // Never written: it holds its fill value, which Keras leaves at zero.
    if (address < 0) return fresh(source, bytes, place);
    return new Cursor(source, `array "${place}"`, address, bytes).slice(bytes);
  }
  if (kind !== 2 || version > 3) {
    fail('FILE_VERSION', 'an array of the HDF5 file has a layout of its newest versions', {
      place,
      hint: "save it with Keras itself, or copy it with h5py and libver='earliest'",
    });
  }
  const dims = version < 3 ? rank : layout.u8();
  const address = layout.offset();
  const chunk = Array.from({ length: dims }, () => layout.u32());
  return readChunks(source, header, { shape, size, chunk: chunk.slice(0, -1), address, bytes, place });
}

interface Chunked {
  readonly shape: readonly number[];
  readonly size: number;
  readonly chunk: readonly number[];
  readonly address: number;
  readonly bytes: number;
  readonly place: string;
}

function readChunks(
  source: Source,
  header: readonly Message[],
  { shape, size, chunk, address, bytes, place }: Chunked,
): Uint8Array {
  if (chunk.length !== shape.length || chunk.some((n) => n < 1)) {
    fail('FILE_CORRUPT', 'the chunks of an array do not fit it', { place, found: `[${chunk}] for [${shape}]` });
  }
  const out = fresh(source, bytes, place);
  if (address < 0 || bytes === 0) return out;
  const chunkBytes = checkSize(source, chunk, size, place);
  const filters = readFilters(messageOf(header, messages.filters));
  const readKey = (cursor: Cursor) => {
    const stored = cursor.u32();
    const skipped = cursor.u32();
    return { stored, skipped, start: Array.from({ length: chunk.length + 1 }, () => cursor.uint(8)).slice(0, -1) };
  };
  const leaves = treeLeaves(source, address, 1, readKey, `chunks of "${place}"`);
  for (const { key, child } of leaves) {
    if (key.start.some((n, i) => n < 0 || n >= shape[i]! || n % chunk[i]! !== 0)) {
      fail('FILE_CORRUPT', 'a chunk lies outside of its array', { place, found: `[${key.start}] of [${shape}]` });
    }
    visit(source, 1 + Math.ceil(chunkBytes / 4096));
    let data: Uint8Array = new Cursor(source, `chunk of "${place}"`, child, key.stored).slice(key.stored);
    for (let i = filters.length - 1; i >= 0; i--) {
      if (!(key.skipped & (1 << i))) data = unfilter(data, filters[i]!, size, chunkBytes, place);
    }
    copyChunk(exactly(data, chunkBytes, place), chunk, key.start, out, shape, size);
  }
  return out;
}

/** Copies the part of a chunk that is inside the array, row by row. */
function copyChunk(
  data: Uint8Array,
  chunk: readonly number[],
  start: readonly number[],
  out: Uint8Array,
  shape: readonly number[],
  size: number,
): void {
  const copy = (depth: number, from: number, to: number): void => {
    const count = Math.min(chunk[depth]!, shape[depth]! - start[depth]!);
    if (depth === shape.length - 1) {
      out.set(data.subarray(from * size, (from + count) * size), (to + start[depth]!) * size);
      return;
    }
    for (let i = 0; i < count; i++)
      copy(depth + 1, (from + i) * chunk[depth + 1]!, (to + start[depth]! + i) * shape[depth + 1]!);
  };
  copy(0, 0, 0);
}

/** Numbers of the filters in the order they were applied: 1 deflate, 2 shuffle, 3 checksum. */
function readFilters(cursor: Cursor | undefined): number[] {
  if (!cursor) return [];
  const version = cursor.u8();
  const count = cursor.u8();
  if (version < 1 || version > 2) cursor.corrupt('has filters of an unknown version');
  if (version === 1) cursor.skip(6);
  return Array.from({ length: count }, () => {
    const id = cursor.u16();
    const nameLength = version === 1 || id >= 256 ? cursor.u16() : 0;
    cursor.skip(2);
    const values = cursor.u16();
    cursor.skip((version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength) + 4 * values);
    if (version === 1 && values % 2 === 1) cursor.skip(4);
    return id;
  });
}

function unfilter(data: Uint8Array, id: number, size: number, bytes: number, place: string): Uint8Array {
  if (id === 3) return data.subarray(0, Math.max(0, data.length - 4));
  if (id === 2) return unshuffle(data, size);
  if (id !== 1)
    fail('MODEL_UNSUPPORTED', 'the array is packed in a way that is not read', {
      place,
      expected: 'gzip or none',
      found: `filter ${id}`,
    });
  try {
    return unzlibSync(data, { out: new Uint8Array(bytes + 4) });
  } catch (error) {
    return fail('FILE_CORRUPT', 'a chunk cannot be inflated', { place, found: (error as Error).message });
  }
}

/** Undoes the grouping of bytes of equal weight. */
function unshuffle(data: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(data.length / size);
  const out = new Uint8Array(data);
  for (let byte = 0; byte < size; byte++) {
    for (let i = 0; i < count; i++) out[i * size + byte] = data[byte * count + i]!;
  }
  return out;
}

function exactly(data: Uint8Array, bytes: number, place: string): Uint8Array {
  if (data.length === bytes) return data;
  return fail('FILE_CORRUPT', 'an array is not as long as its shape says', {
    place,
    expected: `${bytes} bytes`,
    found: `${data.length}`,
  });
}

/** Zeros, where the file can hold so much. */
function fresh(source: Source, bytes: number, place: string): Uint8Array {
  if (bytes > source.bytes.length * maxRatio) tooLarge(bytes, source.bytes.length * maxRatio, place);
  return new Uint8Array(bytes);
}

function checkSize(source: Source, shape: readonly number[], size: number, place: string): number {
  const bytes = shape.reduce((product, n) => product * n, size);
  const limit = Math.min(maxArrayBytes, source.bytes.length * maxRatio);
  return bytes <= limit ? bytes : tooLarge(bytes, limit, place);
}

function tooLarge(bytes: number, limit: number, place: string): never {
  return fail('FILE_TOO_LARGE', 'the file claims to hold more than it can', {
    place,
    expected: `at most ${limit} bytes`,
    found: `${bytes}`,
  });
}
