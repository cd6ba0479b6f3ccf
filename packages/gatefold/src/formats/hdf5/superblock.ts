import { fail } from '@gatefold/runtime';
import { Cursor, type Source } from './cursor.ts';

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** Real files have some ten parts per array. */
const maxParts = 2_000_000;

/** Where the signature stands: at 0 or, after a user block, at 512, 1024, 2048, …; −1 where it does not. */
export function findSignature(bytes: Uint8Array): number {
  for (let at = 0; at + 8 <= bytes.length; at = at === 0 ? 512 : at * 2) {
    if (signature.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

/** Reads the first block of a file: the widths of its numbers and where the root group's header is. */
export function readSuperblock(file: Uint8Array): { source: Source; root: number } {
  const start = findSignature(file);
  if (start < 0) fail('FILE_FORMAT', 'not an HDF5 file');
  const bytes = file.subarray(start);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shared = { bytes, view, left: maxParts, heaps: new Map() };
  const cursor = new Cursor({ ...shared, offsetSize: 8, lengthSize: 8 }, 'superblock', 8);
  const version = cursor.u8();
  if (version > 3) {
    fail('FILE_VERSION', 'an unknown version of HDF5', {
      place: 'superblock',
      expected: '0 to 3',
      found: `${version}`,
    });
  }
  if (version < 2) cursor.skip(4);
  const offsetSize = width(cursor);
  const lengthSize = width(cursor);
  const source: Source = { ...shared, offsetSize, lengthSize };
  cursor.skip(version < 2 ? 1 + 4 + 4 + (version === 1 ? 4 : 0) : 1);
  const rest = new Cursor(source, 'superblock', cursor.at);
  // Base address, then free space (old) or extension (new).
  rest.skip(2 * offsetSize);
  const end = rest.offset();
  if (end > file.length) {
    fail('FILE_TRUNCATED', 'the HDF5 file is cut off', {
      place: 'superblock',
      expected: `${end} bytes`,
      found: `${file.length}`,
      hint: 'copy or download it again',
    });
  }
  // Old files: the driver's block, then the root group's entry: the offset of its name, then its header.
  if (version < 2) rest.skip(2 * offsetSize);
  return { source, root: rest.offset() };
}

function width(cursor: Cursor): number {
  const size = cursor.u8();
  return size === 2 || size === 4 || size === 8
    ? size
    : cursor.corrupt('gives an odd width of numbers', { found: `${size}` });
}
