import { fail } from '@gatefold/runtime';
import { Fields, Output } from './output.ts';

type Attributes = Map<string, string | readonly string[]>;

interface Group {
  readonly attributes: Attributes;
  readonly groups: Map<string, Group>;
  readonly arrays: Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
}

/** Entries of a leaf and children of a tree's node are at most twice these. */
const leafHalf = 4;
/** Texts of one list that stand in one attribute, whose size is 16 bits; Keras splits longer lists in the same way. */
const mostTexts = 2000;
/** A text's place is 16 bits as well. */
const mostInHeap = 30_000;

/**
 * Collects groups, float32 arrays and texts and writes them as an HDF5 file of the first version, which every reader
 * knows: symbol-table groups, contiguous arrays, texts of variable length as UTF-8.
 */
export class Hdf5Builder {
  private readonly root = newGroup();

  group(path: string): void {
    this.at(path);
  }

  array(path: string, shape: readonly number[], data: Float32Array): void {
    const cut = path.lastIndexOf('/');
    this.at(path.slice(0, Math.max(0, cut))).arrays.set(path.slice(cut + 1), { shape, data });
  }

  /** One text, or a list; long lists become `name0`, `name1`, … */
  attribute(path: string, name: string, value: string | readonly string[]): void {
    const { attributes } = this.at(path);
    if (typeof value === 'string' || value.length <= mostTexts) {
      attributes.set(name, value);
      return;
    }
    for (let i = 0; i * mostTexts < value.length; i++)
      attributes.set(`${name}${i}`, value.slice(i * mostTexts, (i + 1) * mostTexts));
  }

  private at(path: string): Group {
    let group = this.root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      let next = group.groups.get(name);
      if (!next) {
        if (group.arrays.has(name)) fail('MODEL_INVALID', 'a weight and a layer have the same name', { place: path });
        next = newGroup();
        group.groups.set(name, next);
      }
      group = next;
    }
    return group;
  }

  /** The file. */
  write(): Uint8Array {
    const out = new Output();
    out.add(new Uint8Array(96));
    const nodeHalf = Math.max(16, Math.ceil(largest(this.root) / (4 * leafHalf)));
    const writer: Writer = { out, nodeHalf, texts: placeTexts(out, this.root) };
    const { header, tree, heap } = writeGroup(writer, this.root);
    out.replace(0, superblock(nodeHalf, out.end, header, tree, heap));
    return out.finish();
  }
}

interface Writer {
  readonly out: Output;
  readonly nodeHalf: number;
  /** Where each text stands: a heap's address and a number in it. */
  readonly texts: ReadonlyMap<string, readonly [number, number, number]>;
}

function newGroup(): Group {
  return { attributes: new Map(), groups: new Map(), arrays: new Map() };
}

function largest(group: Group): number {
  return Math.max(group.groups.size + group.arrays.size, ...[...group.groups.values()].map(largest));
}

function superblock(nodeHalf: number, end: number, header: number, tree: number, heap: number): Uint8Array {
  const fields = new Fields().raw([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]).u8(0, 0, 0, 0, 0, 8, 8, 0);
  fields.u16(leafHalf).u16(nodeHalf).u32(0).u64(0).none().u64(end).none();
  return fields.u64(0, header).u32(1).u32(0).u64(tree, heap).done();
}

/** All texts of all attributes, in heaps. */
function placeTexts(out: Output, root: Group): Map<string, readonly [number, number, number]> {
  const texts = new Set<string>();
  const visit = ({ attributes, groups }: Group): void => {
    for (const value of attributes.values()) for (const text of [value].flat()) texts.add(text);
    groups.forEach(visit);
  };
  visit(root);
  const all = [...texts];
  const places = new Map<string, readonly [number, number, number]>();
  for (let from = 0; from < all.length; from += mostInHeap) {
    const part = all.slice(from, from + mostInHeap);
    const objects = new Fields();
    const lengths = part.map((text, i) => {
      const bytes = new TextEncoder().encode(text);
      objects
        .u16(i + 1)
        .u16(1)
        .u32(0)
        .u64(bytes.length)
        .raw(bytes)
        .pad();
      return bytes.length;
    });
    const size = Math.max(4096, 16 + objects.size + 16);
    // What is left is free: object 0.
    objects
      .u16(0)
      .u16(0)
      .u32(0)
      .u64(size - 16 - (objects.size - 8))
      .pad(size - 16);
    const at = out.add(new Fields().text('GCOL').u8(1, 0, 0, 0).u64(size).raw(objects.done()).done());
    for (const [i, text] of part.entries()) places.set(text, [lengths[i]!, at, i + 1]);
  }
  return places;
}

/** The type of float32. */
const floatType = new Fields().u8(0x11, 0x20, 31, 0).u32(4).u16(0).u16(32).u8(23, 8, 0, 23).u32(127).done();
/** Of texts of variable length, UTF-8. */
const textType = new Fields().u8(0x19, 0x01, 0x01, 0).u32(16).u8(0x13, 0x10, 0, 0).u32(1).done();

function dataspace(shape: readonly number[]): Uint8Array {
  return new Fields()
    .u8(1, shape.length, 0, 0, 0, 0, 0, 0)
    .u64(...shape)
    .done();
}

function header(messages: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const body = new Fields();
  for (const [type, content] of messages) {
    const padded = new Fields().raw(content).pad().done();
    body.u16(type).u16(padded.length).u32(0).raw(padded);
  }
  return new Fields().u8(1, 0).u16(messages.length).u32(1).u32(body.size).u32(0).raw(body.done()).done();
}

function attribute({ texts }: Writer, name: string, value: string | readonly string[]): Uint8Array {
  const space = dataspace(typeof value === 'string' ? [] : [value.length]);
  const nameSize = new TextEncoder().encode(name).length + 1;
  const fields = new Fields().u8(1, 0).u16(nameSize).u16(textType.length).u16(space.length);
  fields.text(name).u8(0).pad().raw(textType).pad().raw(space).pad();
  for (const text of [value].flat()) {
    const [length, heap, index] = texts.get(text)!;
    fields.u32(length).u64(heap).u32(index);
  }
  return fields.done();
}

function writeArray({ out }: Writer, shape: readonly number[], data: Float32Array): number {
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of data.entries()) view.setFloat32(i * 4, value, true);
  const at = out.add(bytes);
  const layout = new Fields().u8(3, 1).u64(at, bytes.length).done();
  // Fill value: none, space is there from the start.
  const fill = Uint8Array.from([2, 1, 2, 0]);
  return out.add(
    header([
      [1, dataspace(shape)],
      [3, floatType],
      [5, fill],
      [8, layout],
    ]),
  );
}

/** Writes what is in a group, then the group; returns where it stands. */
function writeGroup(writer: Writer, group: Group): { header: number; tree: number; heap: number } {
  const { out, nodeHalf } = writer;
  const children = new Map<string, number>();
  for (const [name, { shape, data }] of group.arrays) children.set(name, writeArray(writer, shape, data));
  for (const [name, inner] of group.groups) children.set(name, writeGroup(writer, inner).header);
  const names = [...children.keys()].sort(byBytes);
  // The first name is the empty one.
  const heapData = new Fields().u64(0);
  const offsets = names.map((name) => {
    const offset = heapData.size;
    heapData.text(name).u8(0).pad();
    return offset;
  });
  const dataAt = out.add(heapData.done());
  const heap = out.add(new Fields().text('HEAP').u32(0).u64(heapData.size, 1, dataAt).done());
  const leaves: number[] = [];
  for (let from = 0; from < names.length; from += 2 * leafHalf) {
    const part = names.slice(from, from + 2 * leafHalf);
    const leaf = new Fields().text('SNOD').u8(1, 0).u16(part.length);
    part.forEach((name, i) => {
      leaf.u64(offsets[from + i]!, children.get(name)!).u64(0, 0, 0);
    });
    leaves.push(out.add(leaf.pad(8 + 2 * leafHalf * 40).done()));
  }
  const node = new Fields().text('TREE').u8(0, 0).u16(leaves.length).none().none().u64(0);
  leaves.forEach((leaf, i) => {
    node.u64(leaf, offsets[Math.min((i + 1) * 2 * leafHalf, names.length) - 1]!);
  });
  const tree = out.add(node.pad(24 + 8 * (4 * nodeHalf + 1)).done());
  const table = new Fields().u64(tree, heap).done();
  const attributes = [...group.attributes].map(([name, value]) => [12, attribute(writer, name, value)] as const);
  return { header: out.add(header([[17, table], ...attributes])), tree, heap };
}

function byBytes(a: string, b: string): number {
  const [x, y] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i]! - y[i]!;
  return x.length - y.length;
}
