/** A flatbuffer to be written: tables, vectors and scalars as plain data. */
export type Flat =
  | { readonly kind: 'table'; readonly fields: Readonly<Record<number, Flat | undefined>> }
  | { readonly kind: 'tables'; readonly items: readonly Flat[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'numbers'; readonly width: 4 | 8; readonly float?: boolean; readonly values: readonly number[] }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'byte' | 'int' | 'float'; readonly value: number };

export const table = (fields: Readonly<Record<number, Flat | undefined>>): Flat => ({ kind: 'table', fields });
export const tables = (items: readonly Flat[]): Flat => ({ kind: 'tables', items });
export const text = (value: string): Flat => ({ kind: 'text', text: value });
export const ints = (values: readonly number[]): Flat => ({ kind: 'numbers', width: 4, values });
export const longs = (values: readonly number[]): Flat => ({ kind: 'numbers', width: 8, values });
export const floats = (values: readonly number[]): Flat => ({ kind: 'numbers', width: 4, float: true, values });
export const data = (bytes: Uint8Array): Flat => ({ kind: 'data', bytes });
export const byte = (value: number): Flat => ({ kind: 'byte', value });
export const int = (value: number): Flat => ({ kind: 'int', value });
export const float = (value: number): Flat => ({ kind: 'float', value });
export const bool = (value: boolean): Flat => ({ kind: 'byte', value: value ? 1 : 0 });

/** Buffers of tensors stand at multiples of this, so that kernels may load vectors. */
const dataAlignment = 16;

/** A child, and the fields that point to it. */
interface Shared {
  readonly flat: Flat;
  readonly fields: number[];
}

const isLeaf = ({ kind }: Flat): boolean => kind === 'text' || kind === 'numbers';
const isInline = ({ kind }: Flat): boolean => kind === 'byte' || kind === 'int' || kind === 'float';
const isSmallTable = (flat: Flat): boolean =>
  flat.kind === 'table' && Object.values(flat.fields).every((field) => !field || isLeaf(field) || isInline(field));

/**
 * Writes front to back, children behind their parents, so that every offset points forward. The `flatbuffers` package
 * writes back to front and aligns byte vectors to one byte; both together would cost a second copy of every weight.
 *
 * Children that are equal stand in the file once: shapes, scales and options of a cell that is unrolled over a hundred
 * steps are most of its bytes. They come last, behind all their parents: tables first, then what they hold.
 */
class FlatWriter {
  private bytes = new Uint8Array(1 << 16);
  private view = new DataView(this.bytes.buffer);
  private end = 0;
  private readonly vtables = new Map<string, number>();
  private readonly sharedTables = new Map<string, Shared>();
  private readonly sharedLeaves = new Map<string, Shared>();

  private reserve(count: number, alignment: number): number {
    const at = Math.ceil(this.end / alignment) * alignment;
    if (at + count > this.bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.bytes.length, at + count + 64));
      grown.set(this.bytes);
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    this.end = at + count;
    return at;
  }

  /** Where an element vector starts whose elements stand at a multiple of `alignment`, behind their 32-bit count. */
  private vector(count: number, width: number, alignment: number): number {
    const padded = Math.ceil((this.end + 4) / alignment) * alignment - 4;
    this.end = padded;
    const at = this.reserve(4 + count * width, 4);
    this.view.setUint32(at, count, true);
    return at;
  }

  /** Writes a value that is reached by an offset; returns where it stands. */
  private place(flat: Flat): number {
    switch (flat.kind) {
      case 'text': {
        const encoded = new TextEncoder().encode(flat.text);
        const at = this.vector(encoded.length, 1, 4);
        this.reserve(1, 1);
        this.bytes.set(encoded, at + 4);
        return at;
      }
      case 'data': {
        const at = this.vector(flat.bytes.length, 1, dataAlignment);
        this.bytes.set(flat.bytes, at + 4);
        return at;
      }
      case 'numbers': {
        const at = this.vector(flat.values.length, flat.width, flat.width);
        flat.values.forEach((value, i) => {
          const to = at + 4 + i * flat.width;
          if (flat.float) this.view.setFloat32(to, value, true);
          else if (flat.width === 8) this.view.setBigInt64(to, BigInt(value), true);
          else this.view.setInt32(to, value, true);
        });
        return at;
      }
      case 'tables': {
        const at = this.vector(flat.items.length, 4, 4);
        flat.items.forEach((item, i) => {
          this.point(at + 4 + 4 * i, this.place(item));
        });
        return at;
      }
      case 'table':
        return this.table(flat.fields);
      default:
        throw new TypeError(`a ${flat.kind} stands in its table`);
    }
  }

  private table(fields: Readonly<Record<number, Flat | undefined>>): number {
    const present = Object.entries(fields).flatMap(([id, flat]) => (flat ? [{ id: Number(id), flat }] : []));
    // Bytes behind the others, so that nothing needs padding between.
    const words = present.filter(({ flat }) => flat.kind !== 'byte');
    const ordered = [...words, ...present.filter(({ flat }) => flat.kind === 'byte')];
    const offsets = ordered.map((_, i) => 4 + 4 * Math.min(i, words.length) + Math.max(0, i - words.length));
    const size = 4 + 4 * words.length + (present.length - words.length);
    const count = present.reduce((most, { id }) => Math.max(most, id + 1), 0);
    const slots = new Array<number>(count).fill(0);
    ordered.forEach(({ id }, i) => {
      slots[id] = offsets[i]!;
    });
    const vtable = this.vtable([4 + 2 * count, size, ...slots]);
    const at = this.reserve(size, 4);
    this.view.setInt32(at, at - vtable, true);
    ordered.forEach(({ flat }, i) => {
      const field = at + offsets[i]!;
      if (flat.kind === 'byte') this.view.setInt8(field, flat.value);
      else if (flat.kind === 'int') this.view.setInt32(field, flat.value, true);
      else if (flat.kind === 'float') this.view.setFloat32(field, flat.value, true);
      else if (isLeaf(flat)) share(this.sharedLeaves, flat, field);
      else if (isSmallTable(flat)) share(this.sharedTables, flat, field);
      else this.point(field, this.place(flat));
    });
    return at;
  }

  /** Where the vtable of these 16-bit numbers stands. */
  private vtable(numbers: readonly number[]): number {
    const key = numbers.join();
    const known = this.vtables.get(key);
    if (known !== undefined) return known;
    const at = this.reserve(2 * numbers.length, 2);
    numbers.forEach((number, i) => {
      this.view.setUint16(at + 2 * i, number, true);
    });
    this.vtables.set(key, at);
    return at;
  }

  private point(field: number, to: number): void {
    this.view.setUint32(field, to - field, true);
  }

  private placeShared(children: ReadonlyMap<string, Shared>): void {
    for (const { flat, fields } of children.values()) {
      const at = this.place(flat);
      for (const field of fields) this.point(field, at);
    }
  }

  write(root: Flat, identifier: string): Uint8Array {
    this.reserve(8, 4);
    this.bytes.set(new TextEncoder().encode(identifier), 4);
    this.point(0, this.place(root));
    this.placeShared(this.sharedTables);
    this.placeShared(this.sharedLeaves);
    return this.bytes.slice(0, this.end);
  }
}

function share(all: Map<string, Shared>, flat: Flat, field: number): void {
  const key = JSON.stringify(flat);
  const known = all.get(key);
  if (known) known.fields.push(field);
  else all.set(key, { flat, fields: [field] });
}

/** The bytes of a flatbuffer with this root table and 4-character identifier. */
export function writeFlat(root: Flat, identifier: string): Uint8Array {
  return new FlatWriter().write(root, identifier);
}
