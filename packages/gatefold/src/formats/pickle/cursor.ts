import { fail, utf8Decode } from '@gatefold/runtime';

/** Reads a pickle's arguments; every length is checked against the bytes before it is used. */
export class PickleCursor {
  readonly bytes: Uint8Array;
  at: number;
  private readonly view: DataView;
  private readonly place: string;

  constructor(bytes: Uint8Array, at: number, place: string) {
    this.bytes = bytes;
    this.at = at;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.place = place;
  }

  /** Where the cursor stands, for messages. */
  where(): string {
    return `${this.place}, byte ${this.at}`;
  }

  take(count: number): Uint8Array {
    const end = this.at + count;
    if (end > this.bytes.length) {
      fail('FILE_TRUNCATED', 'the pickle ends inside a value', {
        place: this.where(),
        expected: `${count} bytes`,
        found: `${this.bytes.length - this.at}`,
      });
    }
    const out = this.bytes.subarray(this.at, end);
    this.at = end;
    return out;
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u16(): number {
    const at = this.at;
    this.take(2);
    return this.view.getUint16(at, true);
  }

  u32(): number {
    const at = this.at;
    this.take(4);
    return this.view.getUint32(at, true);
  }

  i32(): number {
    return this.u32() | 0;
  }

  /** A length of 8 bytes; what no file can hold is refused. */
  u64(): number {
    const low = this.u32();
    const high = this.u32();
    if (high >= 1 << 21) fail('FILE_CORRUPT', 'a length in the pickle is impossible', { place: this.where() });
    return high * 2 ** 32 + low;
  }

  f64(): number {
    const at = this.at;
    this.take(8);
    return this.view.getFloat64(at, false);
  }

  text(count: number): string {
    const place = this.where();
    // Python writes lone surrogates as UTF-8 would; they are no text that a name could hold.
    return utf8Decode(this.take(count)) ?? fail('FILE_CORRUPT', 'a text in the pickle is not UTF-8', { place });
  }

  /** The rest of the line, without its end. */
  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) fail('FILE_TRUNCATED', 'the pickle ends inside a line', { place: this.where() });
    const out = this.text(end - this.at);
    this.at = end + 1;
    return out;
  }

  /** Two's complement of any length up to 64 bytes, least significant byte first. */
  long(count: number): number | bigint {
    if (count > 64) fail('FILE_TOO_LARGE', 'an integer in the pickle is too long', { place: this.where() });
    const bytes = this.take(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    if (count > 0 && bytes[count - 1]! & 0x80) value -= 1n << BigInt(8 * count);
    return simple(value);
  }

  /** A decimal integer that stands in a line. */
  decimal(): number | bigint {
    const text = this.line().replace(/L$/, '');
    if (!/^[+-]?\d{1,80}$/.test(text))
      fail('FILE_CORRUPT', 'an integer in the pickle is malformed', { place: this.where() });
    return simple(BigInt(text.replace(/^\+/, '')));
  }
}

function simple(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
