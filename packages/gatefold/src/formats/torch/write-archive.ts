import { crc32 } from '@gatefold/runtime';
import { elementSize, rowMajor } from '../state-dict/numbers.ts';
import type { StoredType } from '../state-dict/types.ts';
import type { WrittenTensor } from '../state-dict/write.ts';

const storageNames: Readonly<Record<StoredType, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  I32: 'IntStorage',
  I16: 'ShortStorage',
  I8: 'CharStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
};

const encoder = new TextEncoder();

/** The pickle of an OrderedDict of tensors, each with a storage of its own, as `torch.save` writes it. */
function pickleOf(tensors: ReadonlyMap<string, WrittenTensor>): Uint8Array {
  const out: number[] = [0x80, 2];
  const word32 = (value: number) => out.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
  const text = (value: string) => {
    const bytes = encoder.encode(value);
    out.push(0x58);
    word32(bytes.length);
    for (const byte of bytes) out.push(byte);
  };
  const global = (module: string, name: string) => out.push(0x63, ...encoder.encode(`${module}\n${name}\n`));
  const int = (value: number) => {
    out.push(0x4a);
    word32(value);
  };
  const tuple = (values: readonly number[]) => {
    out.push(0x28);
    for (const value of values) int(value);
    out.push(0x74);
  };
  const orderedDict = () => {
    global('collections', 'OrderedDict');
    out.push(0x29, 0x52);
  };
  orderedDict();
  out.push(0x28);
  let storage = 0;
  for (const [key, { dtype, shape, bytes }] of tensors) {
    text(key);
    global('torch._utils', '_rebuild_tensor_v2');
    out.push(0x28, 0x28);
    text('storage');
    global('torch', storageNames[dtype]);
    text(String(storage++));
    text('cpu');
    int(bytes.length / elementSize[dtype]);
    out.push(0x74, 0x51);
    int(0);
    tuple(shape);
    tuple(rowMajor(shape));
    out.push(0x89);
    orderedDict();
    out.push(0x74, 0x52);
  }
  out.push(0x75, 0x2e);
  return Uint8Array.from(out);
}

/** PyTorch maps storages into memory: they start at multiples of this. */
const alignment = 64;

/** The zip archive of a state dict, readable by `torch.load(weights_only=True)` of PyTorch 1.6 and later. */
export function writeArchive(tensors: ReadonlyMap<string, WrittenTensor>): Uint8Array {
  const members: [string, Uint8Array][] = [
    ['data.pkl', pickleOf(tensors)],
    ['byteorder', encoder.encode('little')],
    ...[...tensors.values()].map(({ bytes }, i): [string, Uint8Array] => [`data/${i}`, bytes]),
    ['version', encoder.encode('3\n')],
  ];
  return zipOf(members.map(([name, bytes]) => [`archive/${name}`, bytes]));
}

/** A zip archive of stored members, each aligned by an extra field of its header. */
function zipOf(members: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of members) {
    const label = encoder.encode(name);
    const start = at + 30 + label.length + 4;
    const padding = 4 + ((alignment - (start % alignment)) % alignment);
    const about = [crc32(bytes), bytes.length, bytes.length] as const;
    parts.push(header(0x04034b50, 30, about, label.length, padding), label, extraField(padding), bytes);
    directory.push(centralHeader(about, label.length, at), label);
    at += 30 + label.length + padding + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, members.length, true);
  end.setUint16(10, members.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, at, true);
  const out = new Uint8Array(at + size + 22);
  let to = 0;
  for (const part of [...parts, ...directory, new Uint8Array(end.buffer)]) {
    out.set(part, to);
    to += part.length;
  }
  return out;
}

type About = readonly [crc: number, packed: number, size: number];

/** 1 January 1980, so that the same weights make the same file. */
const date = 33;

function header(signature: number, length: number, about: About, name: number, extra: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(0, signature, true);
  view.setUint16(4, 20, true);
  view.setUint16(6, 0x800, true);
  view.setUint16(12, date, true);
  about.forEach((value, i) => {
    view.setUint32(14 + 4 * i, value, true);
  });
  view.setUint16(26, name, true);
  view.setUint16(28, extra, true);
  return new Uint8Array(view.buffer);
}

function centralHeader(about: About, name: number, at: number): Uint8Array {
  const out = new Uint8Array(46);
  const view = new DataView(out.buffer);
  // As the local header, two bytes later and without the extra field.
  out.set(header(0, 30, about, name, 0).subarray(4), 6);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, 20, true);
  view.setUint32(42, at, true);
  return out;
}

function extraField(length: number): Uint8Array {
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setUint16(0, 0x4246, true);
  view.setUint16(2, length - 4, true);
  return out;
}
