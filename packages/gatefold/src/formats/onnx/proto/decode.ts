import { fail, utf8Decode } from '@gatefold/runtime';
import { type FieldRow, fieldsOf, type Message, type MessageName, wireType } from './schema.ts';

// Our own reader of the wire format, rather than a protobuf library: those accept wrong wire types, unknown fields and
// any depth, and copy every tensor. This one refuses the first, bounds the rest, and gives raw data as views.

const deepest = 48;
const mostMessages = 2_000_000;

/** A position in the bytes, never beyond `end`. */
export class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** A varint as a signed 64-bit number. */
  varint(place: string): number {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) fail('FILE_TRUNCATED', 'a number does not end', { place });
      const byte = this.bytes[this.at++]!;
      const part = byte & 127;
      const shift = i * 7;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high |= part >> 4;
      } else if (shift < 63) high |= part << (shift - 32);
      else high |= (part & 1) << 31;
      if (byte < 128) return (high | 0) * 4_294_967_296 + (low >>> 0);
    }
    return fail('FILE_CORRUPT', 'a number is longer than ten bytes', { place });
  }

  /** The next `length` bytes as a cursor of their own. */
  part(length: number, place: string): Cursor {
    if (length < 0 || length > this.end - this.at) {
      fail('FILE_TRUNCATED', 'a field is longer than what holds it', {
        place,
        expected: `at most ${this.end - this.at} bytes`,
        found: `${length}`,
      });
    }
    this.at += length;
    return new Cursor(this.bytes, this.at - length, this.at);
  }

  view(): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, this.end - this.at);
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.at, this.end);
  }
}

interface Budget {
  messages: number;
  /** Whether fields that the schema does not know are passed over. */
  readonly lenient: boolean;
}

/**
 * Decodes a message of the schema. `lenient` passes over fields that the schema does not know: for whoever hands them on as they
 * are (`edit.ts`).
 * @throws FILE_TRUNCATED, FILE_CORRUPT, FILE_TOO_LARGE, FILE_VERSION for fields the schema does not know
 */
export function decodeMessage<M extends MessageName>(
  message: M,
  bytes: Uint8Array,
  { lenient = false }: { readonly lenient?: boolean } = {},
): Message<M> {
  return decode(message, new Cursor(bytes, 0, bytes.length), message, 0, { messages: 0, lenient }) as Message<M>;
}

function decode(message: MessageName, cursor: Cursor, place: string, depth: number, budget: Budget): unknown {
  if (depth > deepest) fail('FILE_TOO_LARGE', 'messages are nested too deeply', { place: place.slice(-120) });
  const out: Record<string, unknown> = {};
  for (const { key, many } of fieldsOf[message].values()) out[key] = many ? [] : undefined;
  while (cursor.at < cursor.end) {
    if (++budget.messages > mostMessages) fail('FILE_TOO_LARGE', 'the file has too many fields', { place });
    const tag = cursor.varint(place);
    const number = Math.floor(tag / 8);
    const wire = tag & 7;
    const field = fieldsOf[message].get(number);
    if (!field) {
      if (budget.lenient) {
        skip(cursor, wire, place);
        continue;
      }
      fail('FILE_VERSION', `${message} has a field that this build does not know`, { place, found: `field ${number}` });
    }
    const at = `${place}.${field.key}`;
    const single = wireType(field.kind);
    const scalar = single !== 2;
    if (field.kind === 'skip') skip(cursor, wire, at);
    else if (wire === 2 && (!scalar || field.many)) {
      const part = cursor.part(cursor.varint(at), at);
      if (scalar) unpack(field, part, out[field.key] as number[], at);
      else store(out, field, content(field, part, at, depth, budget));
    } else if (wire === single) store(out, field, number1(field, cursor, at));
    else fail('FILE_CORRUPT', 'a field has the wrong wire type', { place: at, found: String(wire) });
  }
  return out;
}

function store(out: Record<string, unknown>, field: FieldRow, value: unknown): void {
  if (field.many) (out[field.key] as unknown[]).push(value);
  else out[field.key] = value;
}

function content(field: FieldRow, part: Cursor, place: string, depth: number, budget: Budget): unknown {
  if (field.kind === 'bytes') return part.rest();
  if (field.kind === 'string') return text(part, place);
  return decode(field.kind as MessageName, part, place, depth + 1, budget);
}

function text(part: Cursor, place: string): string {
  return utf8Decode(part.rest()) ?? fail('FILE_CORRUPT', 'a text is no UTF-8', { place });
}

function number1({ kind }: FieldRow, cursor: Cursor, place: string): number {
  if (kind === 'int') return cursor.varint(place);
  const part = cursor.part(kind === 'float' ? 4 : 8, place).view();
  return kind === 'float' ? part.getFloat32(0, true) : part.getFloat64(0, true);
}

function unpack({ kind }: FieldRow, part: Cursor, out: number[], place: string): void {
  if (kind === 'int') {
    while (part.at < part.end) out.push(part.varint(place));
    return;
  }
  const view = part.view();
  const size = kind === 'float' ? 4 : 8;
  if (view.byteLength % size !== 0) fail('FILE_CORRUPT', 'packed numbers do not fill their field', { place });
  for (let i = 0; i < view.byteLength; i += size) {
    out.push(size === 4 ? view.getFloat32(i, true) : view.getFloat64(i, true));
  }
}

/** Passes over what a field holds. @throws FILE_TRUNCATED, FILE_CORRUPT */
export function skip(cursor: Cursor, wire: number, place: string): void {
  if (wire === 0) cursor.varint(place);
  else if (wire === 1) cursor.part(8, place);
  else if (wire === 2) cursor.part(cursor.varint(place), place);
  else if (wire === 5) cursor.part(4, place);
  else fail('FILE_CORRUPT', 'a field has an unknown wire type', { place, found: String(wire) });
}

/** Whether the bytes begin like a model: known fields of the right wire types up to its graph. Never throws. */
export function looksLikeModel(bytes: Uint8Array): boolean {
  const cursor = new Cursor(bytes, 0, Math.min(bytes.length, 1 << 20));
  try {
    for (let i = 0; i < 1000 && cursor.at < cursor.end; i++) {
      const tag = cursor.varint('');
      const field = fieldsOf.Model.get(Math.floor(tag / 8));
      if (!field) return false;
      if (field.kind !== 'skip' && wireType(field.kind) !== (tag & 7)) return false;
      if (field.key === 'graph') return true;
      skip(cursor, tag & 7, '');
    }
  } catch {
    return false;
  }
  return false;
}
