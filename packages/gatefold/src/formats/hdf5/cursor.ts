import { fail, utf8Decode } from '@gatefold/runtime';

/** What every structure of a file shares: its bytes, the widths of its numbers, and how much may be read of it. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly offsetSize: number;
  readonly lengthSize: number;
  /** Structures left to visit: a file that refers in circles runs out of them. */
  left: number;
  /** Objects of global heaps that were listed, by the heap's address. */
  readonly heaps: Map<number, ReadonlyMap<number, Cursor>>;
}

/** Reads numbers one after the other from one region of the file; nothing outside of it can be reached. */
export class Cursor {
  readonly source: Source;
  /** What is read, for messages. */
  readonly what: string;
  readonly end: number;
  at: number;

  /** @throws FILE_TRUNCATED where the region is not inside the file */
  constructor(source: Source, what: string, at: number, length?: number) {
    const end = length === undefined ? source.bytes.length : at + length;
    if (!(at >= 0 && end >= at && end <= source.bytes.length)) {
      fail('FILE_TRUNCATED', `the HDF5 file ends before its ${what}`, {
        place: what,
        expected: `${end} bytes`,
        found: `${source.bytes.length}`,
        hint: 'the file is cut off or damaged: copy or download it again',
      });
    }
    this.source = source;
    this.what = what;
    this.at = at;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  private take(length: number): number {
    if (!(length >= 0 && this.at + length <= this.end)) this.corrupt('ends too early');
    this.at += length;
    return this.at - length;
  }

  u8(): number {
    return this.source.view.getUint8(this.take(1));
  }

  u16(): number {
    return this.source.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.source.view.getUint32(this.take(4), true);
  }

  /** A whole number of 1, 2, 4 or 8 bytes; all ones, HDF5's "undefined", is −1. */
  uint(size: number): number {
    const at = this.take(size);
    let value = 0;
    let ones = true;
    for (let i = size - 1; i >= 0; i--) {
      const byte = this.source.view.getUint8(at + i);
      value = value * 256 + byte;
      ones &&= byte === 255;
    }
    return ones ? -1 : value;
  }

  offset(): number {
    return this.uint(this.source.offsetSize);
  }

  length(): number {
    return this.uint(this.source.lengthSize);
  }

  skip(length: number): this {
    this.take(length);
    return this;
  }

  slice(length: number): Uint8Array {
    const at = this.take(length);
    return this.source.bytes.subarray(at, at + length);
  }

  /** The next `length` bytes as a region of their own. */
  region(length: number, what = this.what): Cursor {
    return new Cursor(this.source, what, this.take(length), length);
  }

  signature(expected: string): void {
    const found = String.fromCharCode(...this.slice(4));
    if (found !== expected) this.corrupt('has the wrong signature', { expected, found: JSON.stringify(found) });
  }

  /** Text up to a zero byte or the end of the region. */
  text(): string {
    const rest = this.source.bytes.subarray(this.at, this.end);
    const zero = rest.indexOf(0);
    return decodeText(zero < 0 ? rest : rest.subarray(0, zero), this.what);
  }

  corrupt(message: string, detail: { expected?: string; found?: string } = {}): never {
    return fail('FILE_CORRUPT', `the ${this.what} of the HDF5 file ${message}`, {
      place: `byte ${this.at}`,
      ...detail,
    });
  }
}

/** Counts the visit of a structure. @throws FILE_CORRUPT where there are too many, as in a file that refers in circles */
export function visit(source: Source, count = 1): void {
  source.left -= count;
  if (source.left < 0) fail('FILE_CORRUPT', 'the HDF5 file has too many parts, or refers in circles');
}

/** Keras writes UTF-8, whatever the file says of it. */
export function decodeText(bytes: Uint8Array, place: string): string {
  return utf8Decode(bytes) ?? fail('FILE_CORRUPT', 'a text of the HDF5 file is not UTF-8', { place });
}
