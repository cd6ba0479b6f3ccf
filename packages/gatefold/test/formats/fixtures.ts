import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readNpz } from '../../src/data/npz.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/keras/', import.meta.url));

export interface Fixture {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly architecture?: string;
  /** in0 …, out0 … in the order of the model's inputs and outputs; `_callN` for consecutive calls. */
  readonly arrays: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>;
}

/** Every model file with reference outputs beside it. */
export function fixtures(): Fixture[] {
  return readdirSync(folder)
    .filter((file) => /\.(h5|keras)$/.test(file))
    .flatMap((file) => {
      const name = file.replace(/(\.weights-only|\.weights)?\.(h5|keras)$/, '');
      if (!existsSync(`${folder}${name}.npz`)) return [];
      const arrays = new Map(
        [...readNpz(readFileSync(`${folder}${name}.npz`))].map(([key, { shape, data }]) => [
          key,
          { shape, data: Float32Array.from(data as ArrayLike<number>) },
        ]),
      );
      const architecture = existsSync(`${folder}${name}.json`)
        ? readFileSync(`${folder}${name}.json`, 'utf8')
        : undefined;
      return [{ name: file, bytes: readFileSync(folder + file), arrays, ...(architecture ? { architecture } : {}) }];
    });
}
