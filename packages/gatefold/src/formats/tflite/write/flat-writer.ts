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

/**
 * Writes front to back, children behind their parents, so that every offset points forward. The `flatbuffers` package
 * writes back to front and aligns byte vectors to one byte; both together would cost a second copy of every weight.
 */
class FlatWriter {
  private bytes = new Uint8Array(1 << 16);
  private view = new DataView(this.bytes.buffer);
  private end = 0;

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
          const child = this.place(item);
          this.view.setUint32(at + 4 + 4 * i, child - (at + 4 + 4 * i), true);
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
    const count = present.reduce((most, { id }) => Math.max(most, id + 1), 0);
    const vtable = this.reserve(4 + 2 * count, 2);
    const at = this.reserve(4 + 4 * present.length, 4);
    this.view.setUint16(vtable, 4 + 2 * count, true);
    this.view.setUint16(vtable + 2, 4 + 4 * present.length, true);
    this.view.setInt32(at, at - vtable, true);
    present.forEach(({ id, flat }, i) => {
      const field = at + 4 + 4 * i;
      this.view.setUint16(vtable + 4 + 2 * id, field - at, true);
      if (flat.kind === 'byte') this.view.setInt8(field, flat.value);
      else if (flat.kind === 'int') this.view.setInt32(field, flat.value, true);
      else if (flat.kind === 'float') this.view.setFloat32(field, flat.value, true);
      else {
        const child = this.place(flat);
        this.view.setUint32(field, child - field, true);
      }
    });
    return at;
  }

  write(root: Flat, identifier: string): Uint8Array {
    this.reserve(8, 4);
    this.bytes.set(new TextEncoder().encode(identifier), 4);
    const at = this.place(root);
    this.view.setUint32(0, at, true);
    return this.bytes.slice(0, this.end);
  }
}

/** The bytes of a flatbuffer with this root table and 4-character identifier. */
export function writeFlat(root: Flat, identifier: string): Uint8Array {
  return new FlatWriter().write(root, identifier);
}
