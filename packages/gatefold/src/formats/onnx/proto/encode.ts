import { type Draft, type FieldRow, fieldsOf, type MessageName, wireType } from './schema.ts';

/** Collects the bytes of one message. */
export class Output {
  readonly chunks: Uint8Array[] = [];
  private small: number[] = [];
  length = 0;

  varint(value: number): void {
    let low = value % 4_294_967_296;
    let high = Math.floor(value / 4_294_967_296);
    if (low < 0) low += 4_294_967_296;
    high >>>= 0;
    for (;;) {
      const part = low % 128;
      low = Math.floor(low / 128) + (high % 128) * 33_554_432;
      high = Math.floor(high / 128);
      const more = low > 0 || high > 0;
      this.byte(more ? part + 128 : part);
      if (!more) return;
    }
  }

  byte(value: number): void {
    this.small.push(value);
    this.length++;
  }

  bytes(value: Uint8Array): void {
    this.flush();
    this.chunks.push(value);
    this.length += value.length;
  }

  append(other: Output): void {
    this.flush();
    other.flush();
    for (const chunk of other.chunks) this.chunks.push(chunk);
    this.length += other.length;
  }

  flush(): void {
    if (this.small.length > 0) this.chunks.push(Uint8Array.from(this.small));
    this.small = [];
  }

  joined(): Uint8Array {
    this.flush();
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}

/** The bytes of a message. Fields that are absent are not written. */
export function encodeMessage<M extends MessageName>(message: M, draft: Draft<M>): Uint8Array {
  return encode(message, draft as Readonly<Record<string, unknown>>).joined();
}

function encode(message: MessageName, draft: Readonly<Record<string, unknown>>): Output {
  const output = new Output();
  for (const field of fieldsOf[message].values()) {
    const value = draft[field.key];
    if (value === undefined) continue;
    if (!field.many) put(output, field, value);
    else if (wireType(field.kind) !== 2) putPacked(output, field, value as readonly number[]);
    else for (const item of value as readonly unknown[]) put(output, field, item);
  }
  return output;
}

function put(output: Output, field: FieldRow, value: unknown): void {
  output.varint(field.number * 8 + wireType(field.kind));
  if (wireType(field.kind) !== 2) {
    number(output, field, value as number);
    return;
  }
  const part = new Output();
  if (field.kind === 'string') part.bytes(new TextEncoder().encode(value as string));
  else if (field.kind === 'bytes') part.bytes(value as Uint8Array);
  else part.append(encode(field.kind as MessageName, value as Readonly<Record<string, unknown>>));
  output.varint(part.length);
  output.append(part);
}

function putPacked(output: Output, field: FieldRow, values: readonly number[]): void {
  if (values.length === 0) return;
  const part = new Output();
  for (const value of values) number(part, field, value);
  output.varint(field.number * 8 + 2);
  output.varint(part.length);
  output.append(part);
}

function number(output: Output, { kind }: FieldRow, value: number): void {
  if (kind === 'int') {
    output.varint(value);
    return;
  }
  const bytes = new Uint8Array(kind === 'float' ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (kind === 'float') view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  output.bytes(bytes);
}
