import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeGatefold } from '@gatefold/runtime';
import { quantize, readModel } from 'gatefold';
import { writeBytes } from 'gatefold/node';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The int8 digits model: what `npm start` wrote, or the same made now. */
export async function digitsModel() {
  const file = at('../../out/digits/digits-int8.gatefold');
  if (!existsSync(file)) {
    const keras = new Uint8Array(readFileSync(at('../digits/model/digits-lstm128.h5')));
    const { model } = await readModel(keras, { name: 'digits' });
    await writeBytes(file, writeGatefold(quantize(model, { bits: 8 }).model), true);
  }
  return new Uint8Array(readFileSync(file));
}
