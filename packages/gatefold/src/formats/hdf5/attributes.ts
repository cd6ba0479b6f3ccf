import { fail } from '@gatefold/runtime';
import { Cursor, decodeText, type Source, visit } from './cursor.ts';
import { refuseDense } from './groups.ts';
import { again, type Message, messageOf, messages } from './header.ts';
import { type DataType, readDataspace, readDataType } from './types.ts';

const maxTexts = 100_000;

/** The texts of an attribute; undefined where there is none, [] where it is empty. */
export function readTexts(
  source: Source,
  header: readonly Message[],
  name: string,
  place: string,
): string[] | undefined {
  const info = messageOf(header, messages.attributeInfo);
  if (info) refuseDense(info, 2, 'attributes', place);
  for (const message of header) {
    if (message.type !== messages.attribute) continue;
    const texts = readIfNamed(source, again(message.body), name, `${place}@${name}`);
    if (texts) return texts;
  }
  return undefined;
}

function readIfNamed(source: Source, cursor: Cursor, wanted: string, place: string): string[] | undefined {
  const version = cursor.u8();
  if (version < 1 || version > 3) cursor.corrupt('has an attribute of an unknown version', { found: `${version}` });
  cursor.skip(1);
  const sizes = [cursor.u16(), cursor.u16(), cursor.u16()] as const;
  if (version === 3) cursor.skip(1);
  // The first version pads each part to a multiple of eight.
  const part = (size: number) => {
    const region = cursor.region(size);
    if (version === 1) cursor.skip(Math.min(-size & 7, cursor.remaining));
    return region;
  };
  if (part(sizes[0]).text() !== wanted) return undefined;
  const type = readDataType(part(sizes[1]));
  const shape = readDataspace(part(sizes[2]));
  const count = shape === null ? 0 : shape.reduce((product, n) => product * n, 1);
  if (count > maxTexts)
    fail('FILE_TOO_LARGE', 'an attribute is too long', { place, expected: `at most ${maxTexts}`, found: `${count}` });
  // h5py writes an empty list as no numbers at all.
  if (count === 0) return [];
  if (type.kind !== 'text' && type.kind !== 'pointed text')
    fail('FILE_CORRUPT', 'an attribute is not text', { place, found: type.name });
  return Array.from({ length: count }, () => readText(source, cursor, type, place));
}

function readText(source: Source, cursor: Cursor, { kind, size }: DataType, place: string): string {
  if (kind === 'text') return cursor.region(size, place).text();
  const length = cursor.u32();
  const address = cursor.offset();
  const index = cursor.u32();
  if (length === 0) return '';
  return decodeText(fromGlobalHeap(source, address, index, place).slice(length), place).replace(/\0+$/, '');
}

/** Object `index` of the collection at `address`. */
function fromGlobalHeap(source: Source, address: number, index: number, place: string): Cursor {
  let heap = source.heaps.get(address);
  if (!heap) {
    heap = listGlobalHeap(source, address);
    source.heaps.set(address, heap);
  }
  const object = heap.get(index);
  return object
    ? again(object)
    : fail('FILE_CORRUPT', 'a text of the HDF5 file is missing', {
        place,
        found: `object ${index} of the heap at ${address}`,
      });
}

function listGlobalHeap(source: Source, address: number): Map<number, Cursor> {
  const head = new Cursor(source, 'global heap', address);
  head.signature('GCOL');
  head.skip(4);
  const size = head.length();
  const heap = new Cursor(source, 'global heap', head.at, size - (head.at - address));
  const objects = new Map<number, Cursor>();
  while (heap.remaining >= 8 + source.lengthSize) {
    visit(source);
    const index = heap.u16();
    heap.skip(6);
    const length = heap.length();
    // Object 0 is the free space at the end.
    if (index === 0) break;
    objects.set(index, heap.region(length));
    heap.skip(Math.min(-length & 7, heap.remaining));
  }
  return objects;
}
