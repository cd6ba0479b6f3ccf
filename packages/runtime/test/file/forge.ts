// Takes containers apart and puts damaged ones together. Works from the format's description, not with the runtime's
// reader and writer, so that it checks the one and can write what the other would not.
import { crc32 } from 'node:zlib';

export type Json = Record<string, unknown>;

export interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** A `.gatefold` file taken apart. */
export interface Parts {
  /** Tensor entries by name, in the file's order. */
  readonly entries: Readonly<Record<string, Entry>>;
  /** What stands in the metadata under `gatefold`. */
  readonly graph: Json;
  readonly crc: string;
  readonly data: Uint8Array;
  /** Where the data start. */
  readonly start: number;
}

export const hex = (n: number) => n.toString(16).padStart(8, '0');

/** Reads a safetensors file by its rules: length, JSON header, data without gaps or overlaps. */
export function takeApart(bytes: Uint8Array): Parts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start))) as Json;
  const { __metadata__: metadata, ...entries } = header as { __metadata__: Record<string, string> } & Parts['entries'];
  return {
    entries,
    graph: JSON.parse(metadata.gatefold!) as Json,
    crc: metadata.crc!,
    data: bytes.subarray(start),
    start,
  };
}

export interface Forged {
  readonly entries: Json;
  /** An object, or the text itself where it is to be no object. */
  readonly graph: Json | string;
  readonly data: Uint8Array;
  /** By default the right one. */
  readonly crc?: string;
}

/** Writes a container whose graph checksum is right unless another is given. */
export function putTogether({ entries, graph, data, crc }: Forged): Uint8Array {
  const text = typeof graph === 'string' ? graph : JSON.stringify(graph);
  const metadata = { crc: crc ?? hex(crc32(text)), gatefold: text };
  return container(JSON.stringify({ __metadata__: metadata, ...entries }), data);
}

/** Any header text before any data. */
export function container(header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  out.set(data, 8 + json.length);
  return out;
}

/**
 * A copy of the JSON with values replaced: `{ 'weights>kernel>kind': 'fractal' }`; undefined deletes. Names of weights
 * contain dots and slashes, hence the separator.
 */
export function edited(json: Json, edits: Readonly<Record<string, unknown>>): Json {
  const copy = structuredClone(json);
  for (const [path, value] of Object.entries(edits)) {
    const keys = path.split('>');
    const last = keys.pop()!;
    let at = copy;
    for (const key of keys) at = at[key] as Json;
    if (value === undefined) delete at[last];
    else Object.defineProperty(at, last, { value, enumerable: true, configurable: true, writable: true });
  }
  return copy;
}

/** The container with tensor bytes replaced and their checksums made right: what only the values can betray. */
export function withTensor(parts: Parts, name: string, change: (bytes: Uint8Array) => void): Uint8Array {
  const data = parts.data.slice();
  const own = data.subarray(...parts.entries[name]!.data_offsets);
  change(own);
  const graph = edited(parts.graph, { [`checksums>${name}`]: hex(crc32(own)) });
  return putTogether({ entries: { ...parts.entries }, graph, data });
}
