import { fail } from '../errors/index.ts';

/** A program may not be much larger than what it came from: its constants end here. */
const mostBytes = 2 ** 30;

/** Collects packed constants in one image; everything is aligned to 16 bytes, and equal arrays are stored once. */
export class Constants {
  private readonly chunks: Uint8Array[] = [];
  private readonly known = new Map<string, number>();
  private length = 0;

  add(array: ArrayBufferView): number {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const at = this.length;
    this.chunks.push(bytes);
    this.length += Math.ceil(bytes.length / 16) * 16;
    if (this.length > mostBytes) {
      fail('MEMORY_LIMIT', 'the constants of the program are too large', { expected: `at most ${mostBytes} bytes` });
    }
    return at;
  }

  /** Adds what `make` returns, once per key. */
  once(key: string, make: () => ArrayBufferView): number {
    let at = this.known.get(key);
    if (at === undefined) {
      at = this.add(make());
      this.known.set(key, at);
    }
    return at;
  }

  image(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      out.set(chunk, at);
      at += Math.ceil(chunk.length / 16) * 16;
    }
    return out;
  }
}
