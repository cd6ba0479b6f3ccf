import { fail } from '@gatefold/runtime';
import { Cursor, decodeText, type Source, visit } from './cursor.ts';
import { again, type Message, messageOf, messages } from './header.ts';

const maxTreeDepth = 24;

/** Names in a group and the addresses of their headers; undefined where the object is no group. */
export function readLinks(source: Source, header: readonly Message[], place: string): Map<string, number> | undefined {
  const table = messageOf(header, messages.symbolTable);
  if (table) return readSymbolTable(source, table, place);
  const info = messageOf(header, messages.linkInfo);
  if (!info) return undefined;
  refuseDense(info, 8, 'links', place);
  const links = new Map<string, number>();
  for (const { type, body } of header) if (type === messages.link) readLink(again(body), links);
  return links;
}

/** Large groups and attributes of the format of 1.8 and later stand in a heap of their own, which is not read. */
export function refuseDense(info: Cursor, orderBytes: number, what: string, place: string): void {
  info.skip(1);
  const flags = info.u8();
  if (flags & 1) info.skip(orderBytes);
  if (info.offset() >= 0) {
    fail('FILE_VERSION', `the HDF5 file keeps many ${what} in the layout of its newest versions`, {
      place,
      hint: "save it with Keras itself, or copy it with h5py and libver='earliest'",
    });
  }
}

/** Version 2 groups: one message per link. Soft and external links lead nowhere here. */
function readLink(cursor: Cursor, links: Map<string, number>): void {
  if (cursor.u8() !== 1) cursor.corrupt('has a link of an unknown version');
  const flags = cursor.u8();
  const isHard = !(flags & 8) || cursor.u8() === 0;
  cursor.skip((flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0));
  const name = decodeText(cursor.slice(cursor.uint(1 << (flags & 3))), cursor.what);
  if (isHard) links.set(name, cursor.offset());
}

/** Version 1 groups: a B-tree of names that stand in a heap. */
function readSymbolTable(source: Source, table: Cursor, place: string): Map<string, number> {
  const tree = table.offset();
  const heapHeader = new Cursor(source, `heap of "${place}"`, table.offset());
  heapHeader.signature('HEAP');
  heapHeader.skip(4);
  const heapSize = heapHeader.length();
  heapHeader.length();
  const heapAt = heapHeader.offset();
  const heap = new Cursor(source, `heap of "${place}"`, heapAt, heapSize);
  const links = new Map<string, number>();
  for (const leaf of treeLeaves(source, tree, 0, (cursor) => cursor.length(), `index of "${place}"`)) {
    readSymbols(source, leaf.child, heap, place, links);
  }
  return links;
}

function readSymbols(source: Source, address: number, heap: Cursor, place: string, links: Map<string, number>): void {
  visit(source);
  const node = new Cursor(source, `index of "${place}"`, address);
  node.signature('SNOD');
  node.skip(2);
  const count = node.u16();
  for (let i = 0; i < count; i++) {
    visit(source);
    const nameAt = node.offset();
    const header = node.offset();
    // Of kind 2 are soft links.
    const kind = node.u32();
    node.skip(4 + 16);
    if (nameAt < 0 || nameAt >= heap.remaining) node.corrupt('has a name outside of its heap');
    const name = new Cursor(source, heap.what, heap.at + nameAt, heap.remaining - nameAt).text();
    if (kind !== 2 && name !== '') links.set(name, header);
  }
}

/** The leaves of a version 1 B-tree in order: each child with the key before it. */
export function treeLeaves<K>(
  source: Source,
  root: number,
  type: number,
  readKey: (cursor: Cursor) => K,
  what: string,
): { key: K; child: number }[] {
  const leaves: { key: K; child: number }[] = [];
  const walk = (address: number, depth: number): void => {
    visit(source);
    const node = new Cursor(source, what, address);
    node.signature('TREE');
    if (node.u8() !== type) node.corrupt('is of another kind than expected');
    const level = node.u8();
    if (level > maxTreeDepth || depth > maxTreeDepth) node.corrupt('is nested too deeply');
    const count = node.u16();
    node.offset();
    node.offset();
    for (let i = 0; i < count; i++) {
      visit(source);
      const key = readKey(node);
      const child = node.offset();
      if (level === 0) leaves.push({ key, child });
      else walk(child, depth + 1);
    }
  };
  walk(root, 0);
  return leaves;
}
