import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GatefoldError } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { type Hdf5File, isHdf5, openHdf5 } from '../../src/formats/hdf5/index.ts';

/** Made by h5py: data/layouts.py. */
function file(name: string): Uint8Array {
  return new Uint8Array(readFileSync(fileURLToPath(new URL(`data/${name}.h5`, import.meta.url))));
}

const numbers = Float32Array.from({ length: 23 * 31 }, (_, i) => Math.sin(i));
const row = numbers.subarray(0, 31);

function near(found: Float32Array, expected: Float32Array, tolerance: number): void {
  expect(found.length).toBe(expected.length);
  found.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(tolerance);
  });
}

describe('reads', () => {
  const open = openHdf5(file('layouts'));
  const arrays = open.arrays('');

  it.each([
    ['chunks', numbers, 1e-7],
    ['gzip', numbers, 1e-7],
    ['float16', row, 5e-4],
    ['float64', row, 1e-7],
    ['big-endian', row, 1e-7],
    ['single', Float32Array.of(0.5), 0],
    ['empty', new Float32Array(0), 0],
  ])('an array: %s', (name, expected, tolerance) => {
    near(arrays.get(name)!.read(), expected, tolerance);
  });

  it('shapes', () => {
    expect(['gzip', 'single', 'empty', 'float16'].map((name) => arrays.get(name)!.shape)).toEqual([
      [23, 31],
      [],
      [0, 3],
      [31],
    ]);
  });

  it('groups, of few and many members', () => {
    expect(open.arrays('many').size).toBe(40);
    expect(open.arrays('many').get('many/17')!.read()).toEqual(Float32Array.of(17));
    expect(open.names('many').length).toBe(40);
    expect(['many', '', 'gzip', 'nothing', 'many/nothing', 'soft'].map(open.hasGroup)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it('texts, in every form', () => {
    expect(open.text('', 'text')).toBe('öä'.repeat(3000));
    expect(open.texts('', 'fixed')).toEqual(['a', 'öä', '']);
    expect(open.texts('', 'pointed')).toEqual(['a', 'öä', '']);
    expect(open.texts('', 'none')).toEqual([]);
    expect(open.text('', 'absent')).toBeUndefined();
  });

  it('behind a user block', () => {
    expect(isHdf5(file('user-block'))).toBe(true);
    near(openHdf5(file('user-block')).arrays('').get('group/array')!.read(), row, 1e-7);
  });

  it('the groups of HDF5 1.8', () => {
    const newer = openHdf5(file('new-groups'));
    near(newer.arrays('').get('group/array')!.read(), row, 1e-7);
    expect(newer.texts('group', 'names')).toEqual(['a', 'b']);
  });
});

describe('refuses', () => {
  it.each([
    ['nothing', new Uint8Array(0), 'FILE_FORMAT'],
    ['other bytes', Uint8Array.from({ length: 4096 }, (_, i) => i), 'FILE_FORMAT'],
    ['the signature alone', file('layouts').slice(0, 8), 'FILE_CORRUPT'],
    ['half a file', file('layouts').slice(0, 5000), 'FILE_TRUNCATED'],
    ['an unknown version', withByte(file('layouts'), 8, 9), 'FILE_VERSION'],
  ])('%s', (_, bytes, code) => {
    expect(codeOf(bytes)).toBe(code);
  });

  it('numbers without a fraction, by name', () => {
    expect(() => openHdf5(file('layouts')).arrays('').get('whole')!.read()).toThrow(
      /MODEL_UNSUPPORTED[\s\S]*at +whole\n[\s\S]*found +int64/,
    );
  });

  it('indexes that refer to themselves', () => {
    const bytes = file('layouts');
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + 40 < bytes.length; at += 8) {
      if (view.getUint32(at, false) !== 0x54524545) continue;
      // Level 1, the node itself as first child.
      bytes[at + 5] = 1;
      view.setBigUint64(at + 32, BigInt(at), true);
    }
    expect(codeOf(bytes)).toBe('FILE_CORRUPT');
  });

  it('shapes beyond the file', () => {
    const bytes = file('user-block');
    const view = new DataView(bytes.buffer);
    for (let at = 512; at + 8 <= bytes.length; at++) {
      if (view.getBigUint64(at, true) === 31n) view.setBigUint64(at, 1n << 40n, true);
    }
    expect(codeOf(bytes)).toBe('FILE_TOO_LARGE');
  });

  it('damaged bytes, always with a code, soon, and without much memory', () => {
    const original = file('layouts');
    let seed = 1;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed % n;
    };
    const start = performance.now();
    for (let i = 0; i < 500; i++) {
      const bytes = original.slice(0, i % 5 === 0 ? random(original.length) : undefined);
      for (let k = 0; k < 4 && bytes.length > 0; k++) {
        bytes[random(Math.min(bytes.length, k < 2 ? 4000 : bytes.length))] = random(256);
      }
      codeOf(bytes);
    }
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  bytes[at] = value;
  return bytes;
}

function everything(open: Hdf5File): void {
  for (const attribute of ['text', 'fixed', 'pointed', 'none']) open.texts('', attribute);
  for (const [path, array] of open.arrays('')) if (path !== 'whole') array.read();
}

/** The code of the error that reading everything throws; anything but a coded error fails the test. */
function codeOf(bytes: Uint8Array): string | undefined {
  try {
    everything(openHdf5(bytes));
    return undefined;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    return error.code;
  }
}
