import { crc32, fail, utf8Decode } from '@gatefold/runtime';
import { inflateSync } from 'fflate';

/** A member as the central directory tells it. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly packed: number;
  readonly method: number;
  readonly crc: number;
  /** Where its local header starts. */
  readonly at: number;
  /** Where its entry of the directory starts. */
  readonly listed: number;
}

const endSignature = 0x06054b50;
const centralSignature = 0x02014b50;
const localSignature = 0x04034b50;
const maxEntries = 20_000;
/** Deflate expands by at most 1032; what claims more is no honest archive. */
const maxRatio = 1032;

/** Whether the bytes start like a zip archive with members. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 22 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * Lists a zip archive. Nothing is inflated; every offset is checked against the file.
 * @throws FILE_FORMAT, FILE_TRUNCATED, FILE_CORRUPT, FILE_TOO_LARGE
 */
export function listZip(bytes: Uint8Array): Map<string, ZipEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  if (count === 0xffff || start === 0xffffffff)
    fail('FILE_TOO_LARGE', 'the archive is zip64', { place: 'zip directory' });
  if (count > maxEntries) {
    fail('FILE_TOO_LARGE', 'the archive has too many members', {
      expected: `at most ${maxEntries}`,
      found: `${count}`,
    });
  }
  const entries = new Map<string, ZipEntry>();
  let at = start;
  for (let i = 0; i < count; i++) {
    const place = `zip directory, member ${i}`;
    if (at + 46 > end) fail('FILE_TRUNCATED', 'the archive ends inside its directory', { place });
    if (view.getUint32(at, true) !== centralSignature)
      fail('FILE_CORRUPT', 'the directory of the archive is damaged', { place });
    const nameLength = view.getUint16(at + 28, true);
    const length = 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (at + length > end) fail('FILE_TRUNCATED', 'the archive ends inside its directory', { place });
    const name = utf8Decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (name === undefined) fail('FILE_CORRUPT', 'a member of the archive has a name that is not UTF-8', { place });
    if (view.getUint16(at + 8, true) & 1) fail('FILE_FORMAT', 'the archive is encrypted', { place: name });
    if (entries.has(name)) fail('FILE_CORRUPT', 'two members of the archive have this name', { place: name });
    entries.set(name, {
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
      listed: at,
    });
    at += length;
  }
  return entries;
}

/**
 * Takes one member out of the archive, at most `limit` bytes, and compares its checksum.
 * @throws FILE_TRUNCATED, FILE_CORRUPT, FILE_TOO_LARGE
 */
export function unzip(bytes: Uint8Array, entry: ZipEntry, limit: number): Uint8Array {
  const { name: place, size, packed, method } = entry;
  if (size > limit) {
    fail('FILE_TOO_LARGE', 'a member of the archive is too large', {
      place,
      expected: `at most ${limit} bytes`,
      found: `${size}`,
    });
  }
  if (size > packed * maxRatio + 1024) {
    fail('FILE_TOO_LARGE', 'a member of the archive claims to be more than it can hold', {
      place,
      expected: `at most ${maxRatio} times its ${packed} bytes`,
      found: `${size}`,
    });
  }
  const from = memberStart(bytes, entry);
  const data = inflate(bytes.subarray(from, from + packed), method, size, place);
  // The inflater drops what does not fit its output, so the checksum also finds members longer than they claim.
  if (crc32(data) !== entry.crc) fail('FILE_CORRUPT', 'a member of the archive does not match its checksum', { place });
  return data;
}

/**
 * Where the bytes of a member start, after its own header.
 * @throws FILE_TRUNCATED, FILE_CORRUPT
 */
export function memberStart(bytes: Uint8Array, { name: place, at, packed }: ZipEntry): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (at + 30 > bytes.length) fail('FILE_TRUNCATED', 'a member of the archive lies outside the file', { place });
  if (view.getUint32(at, true) !== localSignature)
    fail('FILE_CORRUPT', 'a member of the archive has no header', { place });
  const from = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (from + packed > bytes.length) {
    fail('FILE_TRUNCATED', 'a member of the archive lies outside the file', {
      place,
      expected: `${from + packed} bytes`,
      found: `${bytes.length}`,
    });
  }
  return from;
}

function inflate(packed: Uint8Array, method: number, size: number, place: string): Uint8Array {
  if (method === 0 && packed.length === size) return packed;
  if (method !== 8)
    fail('FILE_CORRUPT', 'a member of the archive is stored in an unknown way', { place, found: `method ${method}` });
  let data: Uint8Array;
  try {
    data = inflateSync(packed, { out: new Uint8Array(size) });
  } catch (error) {
    return fail('FILE_CORRUPT', 'a member of the archive cannot be inflated', {
      place,
      found: (error as Error).message,
    });
  }
  if (data.length !== size) {
    fail('FILE_CORRUPT', 'a member of the archive is not as long as it says', {
      place,
      expected: `${size}`,
      found: `${data.length}`,
    });
  }
  return data;
}

/** The end record is the last thing in the file but a comment of at most 65535 bytes. */
function findEnd(view: DataView): number {
  const lowest = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let at = view.byteLength - 22; at >= lowest; at--) {
    if (view.getUint32(at, true) === endSignature) return at;
  }
  return fail('FILE_TRUNCATED', 'the zip archive has no directory', {
    hint: 'the file is cut off: copy or download it again',
  });
}
