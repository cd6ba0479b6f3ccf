import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession, simd128Engine } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';

/** Made by the real Keras: data/edges.py. */
function file(name: string): Uint8Array {
  return new Uint8Array(readFileSync(fileURLToPath(new URL(`data/${name}`, import.meta.url))));
}

it.each(['edges-k2.h5', 'edges-k3.keras', 'edges-k3.h5'])('%s gives what Keras gives', async (name) => {
  const { model } = await readModel(file(name));
  const arrays = readNpz(file(`${name}.npz`));
  const session = createSession(model, { engine: simd128Engine });
  const inputs = session.inputs.map((port, i) => [port.name, Float32Array.from(arrays.get(`in${i}`)!.data, Number)]);
  const outputs = session.run(Object.fromEntries(inputs), { batch: 3 });

  expect(arrays.has(`out${session.outputs.length}`)).toBe(false);
  const differing = session.outputs.flatMap((port, i) => {
    const reference = arrays.get(`out${i}`)!;
    const { shape, data } = outputs[port.name]!;
    const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
    if (size(shape) !== size(reference.shape)) return [`${port.name}: [${shape}] for [${reference.shape}]`];
    const errors = Array.from(data, (value, k) => {
      const expected = Number(reference.data[k]);
      return Math.abs(value - expected) / Math.max(1, Math.abs(expected));
    });
    const worst = Math.max(...errors);
    return worst <= 1e-5 ? [] : [`${port.name}: ${worst}`];
  });
  expect(differing).toEqual([]);
});
