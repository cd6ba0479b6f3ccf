/** Bytes that grow; every block starts at a multiple of eight. */
export class Output {
  private bytes = new Uint8Array(1 << 16);
  private length = 0;

  /** Appends a block; returns its address. */
  add(block: Uint8Array): number {
    const at = (this.length + 7) & ~7;
    if (at + block.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.bytes.length, at + block.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(block, at);
    this.length = at + block.length;
    return at;
  }

  /** Writes over what stands at an address. */
  replace(at: number, block: Uint8Array): void {
    this.bytes.set(block, at);
  }

  /** All bytes, filled up to a multiple of eight. */
  finish(): Uint8Array {
    const end = (this.length + 7) & ~7;
    const out = new Uint8Array(end);
    out.set(this.bytes.subarray(0, this.length));
    return out;
  }

  get end(): number {
    return (this.length + 7) & ~7;
  }
}

/** One structure of a file, field by field, little-endian. */
export class Fields {
  private readonly parts: Uint8Array[] = [];
  private length = 0;

  raw(bytes: Uint8Array | readonly number[]): this {
    const part = Uint8Array.from(bytes);
    this.parts.push(part);
    this.length += part.length;
    return this;
  }

  u8(...values: readonly number[]): this {
    return this.raw(values);
  }

  u16(value: number): this {
    return this.raw([value & 255, value >>> 8]);
  }

  u32(value: number): this {
    return this.raw([value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]);
  }

  u64(...values: readonly number[]): this {
    for (const value of values) this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
    return this;
  }

  /** The address of nothing. */
  none(): this {
    return this.raw(new Uint8Array(8).fill(255));
  }

  text(value: string): this {
    return this.raw(new TextEncoder().encode(value));
  }

  /** Zeros up to a multiple of eight, or up to a length. */
  pad(to = (this.length + 7) & ~7): this {
    return this.raw(new Uint8Array(to - this.length));
  }

  get size(): number {
    return this.length;
  }

  done(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}
