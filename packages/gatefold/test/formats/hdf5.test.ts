import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GatefoldError } from '@gatefold/runtime';
import * as h5wasm from 'h5wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Hdf5File, isHdf5, openHdf5 } from '../../src/formats/hdf5/index.ts';
import { writeH5 } from './keras-files.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/keras/', import.meta.url));

let module: Awaited<typeof h5wasm.ready>;

beforeAll(async () => {
  module = await h5wasm.ready;
});

function read(name: string): Uint8Array {
  return new Uint8Array(readFileSync(folder + name));
}

/** Every array and every text attribute of a file, as libhdf5 reads them. */
function oracle(bytes: Uint8Array): {
  arrays: Map<string, { shape: number[]; data: number[] }>;
  texts: [string, string, string[]][];
} {
  module.FS.writeFile('oracle.h5', bytes);
  const file = new h5wasm.File('oracle.h5', 'r');
  const arrays = new Map<string, { shape: number[]; data: number[] }>();
  const texts: [string, string, string[]][] = [];
  for (const path of ['/', ...file.paths()]) {
    const item = path === '/' ? file : file.get(path);
    const name = path.replace(/^\//, '');
    if (item instanceof h5wasm.Dataset) {
      const { value } = item;
      arrays.set(name, {
        shape: item.shape ?? [],
        data: typeof value === 'number' ? [value] : Array.from(value as Float32Array),
      });
    } else if (item instanceof h5wasm.Group) {
      for (const [attribute, { value, metadata }] of Object.entries(item.attrs)) {
        if (metadata.type === 3) texts.push([name, attribute, [value].flat() as string[]]);
      }
    }
  }
  file.close();
  module.FS.unlink('oracle.h5');
  return { arrays, texts };
}

describe('reads what libhdf5 reads', () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.h5')))('%s', (name) => {
    const file = openHdf5(read(name));
    const { arrays, texts } = oracle(read(name));
    const found = file.arrays('');
    expect([...found.keys()].sort()).toEqual([...arrays.keys()].sort());
    for (const [path, { shape, data }] of arrays) {
      expect(found.get(path)!.shape, path).toEqual(shape);
      if (!path.endsWith('count:0')) expect([...found.get(path)!.read()], path).toEqual(data);
    }
    for (const [path, attribute, value] of texts)
      expect(file.texts(path, attribute), `${path}@${attribute}`).toEqual(value);
  });

  it('arrays in chunks, compressed and shuffled or not', async () => {
    const data = Float32Array.from({ length: 37 * 53 }, (_, i) => Math.sin(i));
    const file = openHdf5(
      await writeH5((h5) => {
        h5.create_dataset({ name: 'packed', data, shape: [37, 53], chunks: [10, 20], compression: 'gzip' });
        h5.create_dataset({ name: 'plain', data, shape: [37, 53], chunks: [7, 11] });
      }),
    );
    for (const array of file.arrays('').values()) expect(array.read()).toEqual(data);
  });

  it('float64 as float32, single values, empty lists, many members', async () => {
    const file = openHdf5(
      await writeH5((h5) => {
        h5.create_dataset({ name: 'double', data: Float64Array.of(1 / 3) });
        const many = h5.create_group('many');
        for (let i = 0; i < 100; i++) many.create_dataset({ name: `array ${i}`, data: Float32Array.of(i) });
        h5.create_attribute('names', ['a', 'öä', '']);
        h5.create_attribute('none', new Float64Array(0), [0]);
      }),
    );
    expect(file.arrays('').get('double')!.read()).toEqual(Float32Array.of(1 / 3));
    expect(file.arrays('many').size).toBe(100);
    expect(file.arrays('many').get('many/array 63')!.read()).toEqual(Float32Array.of(63));
    expect(file.texts('', 'names')).toEqual(['a', 'öä', '']);
    expect(file.texts('', 'none')).toEqual([]);
    expect(file.texts('', 'absent')).toBeUndefined();
    expect(file.hasGroup('many') && !file.hasGroup('many/array 1') && !file.hasGroup('nothing')).toBe(true);
  });

  it('files behind a user block', () => {
    const bytes = read('k2-trained.h5');
    const shifted = new Uint8Array(512 + bytes.length);
    shifted.set(bytes, 512);
    expect(isHdf5(shifted)).toBe(true);
    expect([...openHdf5(shifted).arrays('').keys()]).toEqual([...openHdf5(bytes).arrays('').keys()]);
  });
});

describe('refuses', () => {
  it.each([
    ['nothing', new Uint8Array(0), 'FILE_FORMAT'],
    ['other bytes', Uint8Array.from({ length: 4096 }, (_, i) => i), 'FILE_FORMAT'],
    ['the signature alone', read('k2-trained.h5').slice(0, 8), 'FILE_CORRUPT'],
    ['half a file', read('k2-trained.h5').slice(0, 9000), 'FILE_TRUNCATED'],
    ['an unknown version', withByte(read('k2-trained.h5'), 8, 9), 'FILE_VERSION'],
  ])('%s', (_, bytes, code) => {
    expect(codeOf(() => everything(openHdf5(bytes)))).toBe(code);
  });

  it('numbers that are not floating-point, by name', async () => {
    const file = openHdf5(await writeH5((h5) => h5.create_dataset({ name: 'n', data: Int32Array.of(1) })));
    expect(() => file.arrays('').get('n')!.read()).toThrow(/MODEL_UNSUPPORTED[\s\S]*at +n\n[\s\S]*found +int32/);
  });

  it('indexes that refer to themselves', () => {
    const bytes = read('k2-trained.h5');
    const view = new DataView(bytes.buffer);
    // Every node of an index claims to have itself as its only child.
    for (let at = 0; at + 8 < bytes.length; at += 8) {
      if (bytes[at] !== 0x54 || bytes[at + 1] !== 0x52 || bytes[at + 2] !== 0x45 || bytes[at + 3] !== 0x45) continue;
      bytes[at + 5] = 1;
      view.setBigUint64(at + 32, BigInt(at), true);
    }
    expect(codeOf(() => everything(openHdf5(bytes)))).toBe('FILE_CORRUPT');
  });

  it('shapes beyond the file', async () => {
    const bytes = await writeH5((h5) => h5.create_dataset({ name: 'big', data: new Float32Array(977), shape: [977] }));
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let at = 0; at + 8 <= bytes.length; at++) {
      if (view.getBigUint64(at, true) === 977n) view.setBigUint64(at, 1n << 40n, true);
    }
    expect(codeOf(() => everything(openHdf5(bytes)))).toBe('FILE_TOO_LARGE');
  });

  it('damaged bytes, always with a code and soon', () => {
    const original = read('k2-trained.h5');
    let seed = 1;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed % n;
    };
    const start = performance.now();
    for (let i = 0; i < 400; i++) {
      const bytes = original.slice(0, i % 5 === 0 ? random(original.length) : undefined);
      for (let k = 0; k < 4 && bytes.length > 0; k++)
        bytes[random(Math.min(bytes.length, k < 2 ? 4000 : bytes.length))] = random(256);
      codeOf(() => everything(openHdf5(bytes)));
    }
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  bytes[at] = value;
  return bytes;
}

function everything(file: Hdf5File): void {
  file.text('', 'model_config');
  for (const array of file.arrays('').values()) if (array.shape.length > 0) array.read();
}

/** The error's code; undefined where there is none. Anything but a coded error fails the test. */
function codeOf(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(GatefoldError);
    return (error as GatefoldError).code;
  }
}
