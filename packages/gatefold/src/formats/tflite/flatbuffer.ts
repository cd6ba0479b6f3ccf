import { fail } from '@gatefold/runtime';

/**
 * A bounded reader of flatbuffers. The `flatbuffers` package has no verifier for JavaScript and reads past the end as
 * undefined numbers, so every access here is checked against the file. Tables are reached by the fixed paths of the
 * schema only, so that cycles cannot be followed; what shared vectors may add up to is counted.
 */
export class FlatBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  private budget: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.budget = 4 * bytes.length + (1 << 20);
  }

  /** @throws FILE_TRUNCATED, FILE_CORRUPT */
  root(): Table {
    return new Table(this, this.offset(0, 'the root'), 'the root');
  }

  check(at: number, count: number, place: string): void {
    if (at < 0 || at + count > this.bytes.length) {
      fail('FILE_TRUNCATED', 'the file ends before its tables do', {
        place,
        expected: `${count} bytes at ${at}`,
        found: `${this.bytes.length} bytes`,
      });
    }
  }

  /** Counts bytes read through vectors and tables, which may share storage. @throws FILE_TOO_LARGE */
  charge(count: number, place: string): void {
    this.budget -= count;
    if (this.budget < 0) fail('FILE_TOO_LARGE', 'the tables refer to more than the file can hold', { place });
  }

  /** The place that the unsigned offset at `at` points to. */
  offset(at: number, place: string): number {
    this.check(at, 4, place);
    const offset = this.view.getUint32(at, true);
    if (offset === 0) fail('FILE_CORRUPT', 'an offset points to itself', { place });
    this.check(at + offset, 4, place);
    return at + offset;
  }
}

/** A vector's first element and its length. */
interface Span {
  readonly at: number;
  readonly length: number;
}

/** One table; fields by their number in the schema, absent ones as the default or undefined. */
export class Table {
  private readonly file: FlatBuffer;
  private readonly at: number;
  private readonly vtable: number;
  private readonly fields: number;
  private readonly size: number;
  readonly place: string;

  constructor(file: FlatBuffer, at: number, place: string) {
    file.check(at, 4, place);
    file.charge(4, place);
    this.file = file;
    this.at = at;
    this.place = place;
    this.vtable = at - file.view.getInt32(at, true);
    file.check(this.vtable, 4, place);
    const length = file.view.getUint16(this.vtable, true);
    this.size = file.view.getUint16(this.vtable + 2, true);
    if (length < 4 || length % 2 !== 0 || this.size < 4) fail('FILE_CORRUPT', 'a table has no valid layout', { place });
    file.check(this.vtable, length, place);
    file.check(at, this.size, place);
    this.fields = (length - 4) / 2;
  }

  /** Where a field of `width` bytes stands; undefined where it is absent. */
  private field(id: number, width: number): number | undefined {
    if (id >= this.fields) return undefined;
    const relative = this.file.view.getUint16(this.vtable + 4 + 2 * id, true);
    if (relative === 0) return undefined;
    if (relative < 4 || relative + width > this.size) {
      fail('FILE_CORRUPT', 'a field lies outside its table', { place: this.place, found: `field ${id}` });
    }
    return this.at + relative;
  }

  has(id: number): boolean {
    return this.field(id, 1) !== undefined;
  }

  byte(id: number, otherwise = 0): number {
    const at = this.field(id, 1);
    return at === undefined ? otherwise : this.file.view.getInt8(at);
  }

  ubyte(id: number, otherwise = 0): number {
    return this.byte(id, otherwise) & 255;
  }

  bool(id: number, otherwise = false): boolean {
    return this.byte(id, otherwise ? 1 : 0) !== 0;
  }

  int(id: number, otherwise = 0): number {
    const at = this.field(id, 4);
    return at === undefined ? otherwise : this.file.view.getInt32(at, true);
  }

  uint(id: number, otherwise = 0): number {
    return this.int(id, otherwise) >>> 0;
  }

  float(id: number, otherwise = 0): number {
    const at = this.field(id, 4);
    return at === undefined ? otherwise : this.file.view.getFloat32(at, true);
  }

  long(id: number): number {
    const at = this.field(id, 8);
    return at === undefined ? 0 : Number(this.file.view.getBigUint64(at, true));
  }

  private vector(id: number, width: number): Span | undefined {
    const field = this.field(id, 4);
    if (field === undefined) return undefined;
    const at = this.file.offset(field, this.place);
    const length = this.file.view.getUint32(at, true);
    this.file.check(at + 4, length * width, this.place);
    return { at: at + 4, length };
  }

  private numbers(id: number, width: number, get: (at: number) => number): number[] | undefined {
    const span = this.vector(id, width);
    if (!span) return undefined;
    this.file.charge(span.length * width, this.place);
    return Array.from({ length: span.length }, (_, i) => get(span.at + i * width));
  }

  ints(id: number): number[] | undefined {
    return this.numbers(id, 4, (at) => this.file.view.getInt32(at, true));
  }

  floats(id: number): number[] | undefined {
    return this.numbers(id, 4, (at) => this.file.view.getFloat32(at, true));
  }

  longs(id: number): number[] | undefined {
    return this.numbers(id, 8, (at) => Number(this.file.view.getBigInt64(at, true)));
  }

  /** The bytes of a vector, not copied. */
  data(id: number): Uint8Array | undefined {
    const span = this.vector(id, 1);
    return span && this.file.bytes.subarray(span.at, span.at + span.length);
  }

  /** UTF-8 text, cut at 200 bytes where longer. */
  text(id: number): string | undefined {
    const bytes = this.data(id);
    if (!bytes) return undefined;
    const cut = bytes.subarray(0, 200);
    this.file.charge(cut.length, this.place);
    return new TextDecoder().decode(cut);
  }

  table(id: number, place = this.place): Table | undefined {
    const field = this.field(id, 4);
    return field === undefined ? undefined : new Table(this.file, this.file.offset(field, place), place);
  }

  tables(id: number, name: string): Table[] {
    const span = this.vector(id, 4);
    if (!span) return [];
    this.file.charge(span.length * 4, this.place);
    return Array.from({ length: span.length }, (_, i) => {
      const place = `${name}[${i}]`;
      return new Table(this.file, this.file.offset(span.at + 4 * i, place), place);
    });
  }
}
