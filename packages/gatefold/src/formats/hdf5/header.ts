import { fail } from '@gatefold/runtime';
import { Cursor, type Source, visit } from './cursor.ts';

/** Kinds of messages in an object's header that are read. */
export const messages = {
  dataspace: 1,
  linkInfo: 2,
  datatype: 3,
  link: 6,
  layout: 8,
  filters: 11,
  attribute: 12,
  continuation: 16,
  symbolTable: 17,
  attributeInfo: 21,
} as const;

export interface Message {
  readonly type: number;
  readonly body: Cursor;
}

const shared = 2;

/** The messages of the object whose header is at `address`. */
export function readHeader(source: Source, address: number, place: string): Message[] {
  visit(source);
  const what = `header of "${place}"`;
  const cursor = new Cursor(source, what, address);
  const found: Message[] = [];
  const blocks: Cursor[] = [];
  const isNew = cursor.remaining >= 4 && cursor.source.bytes[address] === 0x4f;
  let orders = false;
  if (isNew) {
    cursor.signature('OHDR');
    if (cursor.u8() !== 2) cursor.corrupt('has an unknown version');
    const flags = cursor.u8();
    orders = (flags & 4) !== 0;
    cursor.skip((flags & 32 ? 16 : 0) + (flags & 16 ? 4 : 0));
    blocks.push(cursor.region(cursor.uint(1 << (flags & 3)), what));
  } else {
    if (cursor.u8() !== 1) cursor.corrupt('has an unknown version');
    cursor.skip(1 + 2 + 4);
    const size = cursor.u32();
    blocks.push(cursor.skip(4).region(size, what));
  }
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    const smallest = isNew ? (orders ? 6 : 4) : 8;
    while (block.remaining >= smallest) {
      visit(source);
      const type = isNew ? block.u8() : block.u16();
      const size = block.u16();
      const flags = block.u8();
      block.skip(isNew ? (orders ? 2 : 0) : 3);
      const body = block.region(size, what);
      if (type === messages.continuation) blocks.push(continuation(source, body, isNew, what));
      else if (!(flags & shared)) found.push({ type, body });
      else if (type === messages.datatype || type === messages.dataspace || type === messages.attribute) {
        fail('FILE_VERSION', 'the HDF5 file shares descriptions between objects', { place });
      }
    }
  }
  return found;
}

function continuation(source: Source, body: Cursor, isNew: boolean, what: string): Cursor {
  const address = body.offset();
  const length = body.length();
  visit(source);
  if (!isNew) return new Cursor(source, what, address, length);
  const block = new Cursor(source, what, address, length);
  block.signature('OCHK');
  // The last four bytes are a checksum.
  return block.region(block.remaining - 4, what);
}

/** The first message of a kind. */
export function messageOf(header: readonly Message[], type: number): Cursor | undefined {
  const message = header.find((candidate) => candidate.type === type);
  // A header may be read more than once: a region is given out anew each time.
  return message && again(message.body);
}

/** The rest of a region anew. */
export function again({ source, what, at, remaining }: Cursor): Cursor {
  return new Cursor(source, what, at, remaining);
}
