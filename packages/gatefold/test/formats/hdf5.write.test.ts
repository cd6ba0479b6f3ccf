import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dataset, type Group, File as H5File, ready } from 'h5wasm/node';
import { afterAll, expect, it } from 'vitest';
import { openHdf5 } from '../../src/formats/hdf5/index.ts';
import { Hdf5Builder } from '../../src/formats/hdf5/write.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatefold-hdf5-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const many = Array.from({ length: 5000 }, (_, i) => `layer-${i}-é`);

/** Many groups, long lists, a long text, empty groups. */
function example(): Uint8Array {
  const builder = new Hdf5Builder();
  builder.array('top', [], Float32Array.of(1.5));
  many.slice(0, 700).forEach((name, i) => {
    builder.array(`groups/${name}/inner/kernel:0`, [2, 3], Float32Array.of(i, 1, 2, 3, 4, 5));
  });
  builder.group('groups/empty');
  builder.attribute('', 'config', 'x'.repeat(200_000));
  builder.attribute('', 'nothing', '');
  builder.attribute('groups', 'names', many);
  builder.attribute('groups/empty', 'names', []);
  return builder.write();
}

it('is read by libhdf5', async () => {
  await ready;
  const path = join(folder, 'example.h5');
  writeFileSync(path, example());
  const file = new H5File(path, 'r');
  try {
    expect(file.attrs.config!.value).toBe('x'.repeat(200_000));
    expect([0, 1, 2].flatMap((i) => (file.get('groups') as Group).attrs[`names${i}`]!.value)).toEqual(many);
    expect((file.get('groups') as Group).keys().length).toBe(701);
    expect((file.get('groups/empty') as Group).keys()).toEqual([]);
    const dataset = file.get(`groups/${many[654]}/inner/kernel:0`) as Dataset;
    expect(dataset.shape).toEqual([2, 3]);
    expect([...(dataset.value as Float32Array)]).toEqual([654, 1, 2, 3, 4, 5]);
    expect((file.get('top') as Dataset).value).toBe(1.5);
  } finally {
    file.close();
  }
});

it('is read by our own reader', () => {
  const file = openHdf5(example());
  expect(file.text('', 'config')).toBe('x'.repeat(200_000));
  expect(file.texts('groups', 'names1')).toEqual(many.slice(2000, 4000));
  expect(file.texts('groups/empty', 'names')).toEqual([]);
  const arrays = file.arrays('');
  expect(arrays.size).toBe(701);
  expect([...arrays.get(`groups/${many[7]}/inner/kernel:0`)!.read()]).toEqual([7, 1, 2, 3, 4, 5]);
});
