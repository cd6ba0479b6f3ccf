import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as h5wasm from 'h5wasm';
import { beforeAll, expect, it } from 'vitest';
import { openHdf5 } from '../../src/formats/hdf5/index.ts';

const folders = ['data', '../../../../fixtures/keras'].map((name) =>
  fileURLToPath(new URL(`${name}/`, import.meta.url)),
);
const files = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.h5'))
    .map((name) => [name, folder + name] as const),
);

let library: Awaited<typeof h5wasm.ready>;

beforeAll(async () => {
  library = await h5wasm.ready;
});

interface Contents {
  /** Shape and numbers by path; libhdf5 compiled to WebAssembly gives no float16. */
  readonly arrays: Map<string, { shape: readonly number[]; data: readonly number[] | undefined }>;
  readonly texts: Map<string, readonly string[]>;
}

/** Every array and every text attribute of a group, as libhdf5 reads them. */
function byLibhdf5(bytes: Uint8Array): Contents {
  library.FS.writeFile('oracle.h5', bytes);
  const file = new h5wasm.File('oracle.h5', 'r');
  const contents: Contents = { arrays: new Map(), texts: new Map() };
  for (const path of ['', ...file.paths()]) {
    const name = path.replace(/^\//, '');
    const item = path === '' ? file : file.get(path);
    if (item instanceof h5wasm.Dataset && item.metadata.type === 1) {
      const data = item.metadata.size < 4 ? undefined : [item.value].flatMap((value) => numbersIn(value));
      contents.arrays.set(name, { shape: item.shape ?? [], data });
    } else if (item instanceof h5wasm.Group) {
      for (const [attribute, { value, metadata }] of Object.entries(item.attrs)) {
        // What h5py marks as ASCII may still be UTF-8, which libhdf5 leaves to its caller.
        if (metadata.type === 3 && metadata.cset === 1)
          contents.texts.set(`${name}@${attribute}`, [value].flat() as string[]);
      }
    }
  }
  file.close();
  library.FS.unlink('oracle.h5');
  return contents;
}

function numbersIn(value: unknown): number[] {
  return typeof value === 'number' ? [value] : Array.from(value as ArrayLike<number>, Math.fround);
}

it.each(files)('reads %s as libhdf5 does', (name, path) => {
  const bytes = new Uint8Array(readFileSync(path));
  const file = openHdf5(bytes);
  const { arrays, texts } = byLibhdf5(bytes);
  const found = file.arrays('');
  // Soft links are not followed: Keras makes none.
  arrays.delete('soft');
  expect([...found.values()].filter(({ path: at }) => arrays.has(at)).length, name).toBe(arrays.size);
  for (const [at, { shape, data }] of arrays) {
    expect(found.get(at)?.shape, at).toEqual(shape);
    if (data) expect([...found.get(at)!.read()], at).toEqual(data.map(Math.fround));
  }
  for (const [at, value] of texts) {
    const [group, attribute] = at.split('@') as [string, string];
    expect(file.texts(group, attribute), at).toEqual(value);
  }
});
