import { fail } from '../errors/index.ts';
import { utf8Decode, utf8Encode } from '../tensor/index.ts';

/** Headers above this are refused before they are parsed. */
const headerLimit = 25_000_000;
const deepest = 64;
const sizes: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

export interface StoredTensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Whether the bytes start like a safetensors file. */
export function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return view.getUint32(4, true) === 0 && bytes[8] === 0x7b;
}

/**
 * Reads a safetensors file (github.com/huggingface/safetensors): 8 bytes of header length, a JSON header, the data. The
 * tensors are views of `bytes`.
 * @throws FILE_FORMAT, FILE_TRUNCATED, FILE_TOO_LARGE, FILE_CORRUPT
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const corrupt = (message: string, place: string, detail = {}) => fail('FILE_CORRUPT', message, { place, ...detail });
  if (!isSafetensors(bytes)) fail('FILE_FORMAT', 'not a safetensors file', { expected: 'a header length and "{"' });
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getUint32(0, true);
  if (length > headerLimit) {
    fail('FILE_TOO_LARGE', 'the header is too long', { expected: `at most ${headerLimit} bytes`, found: `${length}` });
  }
  if (8 + length > bytes.length) {
    fail('FILE_TRUNCATED', 'the file ends inside its header', {
      expected: `${8 + length} bytes`,
      found: `${bytes.length}`,
    });
  }
  const header = parseObject(bytes.subarray(8, 8 + length), 'header');
  const data = bytes.subarray(8 + length);
  const tensors = new Map<string, StoredTensor>();
  const spans: [number, number][] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    const size =
      typeof dtype === 'string' && Object.hasOwn(sizes, dtype) ? sizes[dtype]! : corrupt('unknown type', name);
    if (!isWholeList(shape) || !isWholeList(offsets) || offsets.length !== 2) corrupt('malformed entry', name);
    const [from, to] = offsets as [number, number];
    const bytesNeeded = (shape as number[]).reduce((product, n) => product * n, size);
    if (from > to || to > data.length) {
      fail('FILE_TRUNCATED', 'a tensor lies outside the file', {
        place: name,
        expected: `offsets within ${data.length} bytes`,
        found: `${from} … ${to}`,
      });
    }
    if (to - from !== bytesNeeded) {
      corrupt('shape and length differ', name, { expected: `${bytesNeeded} bytes`, found: `${to - from}` });
    }
    spans.push([from, to]);
    tensors.set(name, { type: dtype as string, shape: shape as number[], bytes: data.subarray(from, to) });
  }
  spans.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let end = 0;
  for (const [from, to] of spans) {
    if (from !== end) corrupt('tensors overlap or leave a gap', `data at ${end}`);
    end = to;
  }
  if (end !== data.length)
    corrupt('bytes after the last tensor', `data at ${end}`, { found: `${data.length - end} bytes` });
  return { metadata: stringsOf(header.__metadata__), tensors };
}

/** Writes a safetensors file; tensors in the order given. */
export function writeSafetensors({ metadata, tensors }: SafetensorsFile): Uint8Array {
  // Without a prototype any tensor name is just a name.
  const header: Record<string, unknown> = Object.assign(Object.create(null), { __metadata__: metadata });
  let offset = 0;
  for (const [name, { type, shape, bytes }] of tensors) {
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const json = utf8Encode(JSON.stringify(header));
  // The data start at a multiple of 8, as the format recommends; spaces pad the header.
  const length = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + length + offset).fill(0x20, 0, 8 + length);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(json, 8);
  let at = 8 + length;
  for (const { bytes } of tensors.values()) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

/** Parses UTF-8 JSON that must be an object. */
export function parseObject(bytes: Uint8Array, place: string): Record<string, unknown> {
  const text = utf8Decode(bytes) ?? fail('FILE_CORRUPT', 'the text is not UTF-8', { place });
  checkDepth(text, place);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    fail('FILE_CORRUPT', 'the text is not JSON', { place, found: (error as Error).message });
  }
  if (!isObject(value)) fail('FILE_CORRUPT', 'expected a JSON object', { place });
  return value;
}

/** What walks parsed JSON may recurse: text nested deeper than any honest header is refused before it is parsed. */
function checkDepth(text: string, place: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      // A string: to its closing quote, passing over escaped characters.
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (c === 0x5b || c === 0x7b) {
      if (++depth > deepest)
        fail('FILE_CORRUPT', 'the JSON is nested too deeply', { place, expected: `at most ${deepest} levels` });
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWholeList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function stringsOf(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    fail('FILE_CORRUPT', 'metadata must be strings', { place: '__metadata__' });
  }
  return value as Record<string, string>;
}
