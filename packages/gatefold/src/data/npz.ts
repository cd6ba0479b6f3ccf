import { fail, GatefoldError } from '@gatefold/runtime';
import { zipSync } from 'fflate';
import { type NpyArray, type NumberArray, readNpy, toFloat32, writeNpy } from './npy.ts';
import { isZip, listZip, unzip } from './zip.ts';

export { type NpyArray, type NumberArray, readNpy, toFloat32 };

/** An archive may hold this much in all. */
const limit = 2 ** 31;

/**
 * Reads the arrays of a NumPy .npz archive by name, in the archive's order.
 * @throws DATA_INVALID
 */
export function readNpz(bytes: Uint8Array): Map<string, NpyArray> {
  if (!isZip(bytes)) fail('DATA_INVALID', 'not a .npz file', { expected: 'a zip archive of .npy files' });
  try {
    const arrays = new Map<string, NpyArray>();
    let left = limit;
    for (const entry of listZip(bytes).values()) {
      if (!entry.name.endsWith('.npy')) continue;
      arrays.set(entry.name.slice(0, -4), readNpy(unzip(bytes, entry, left), entry.name));
      left -= entry.size;
    }
    return arrays;
  } catch (error) {
    // To a reader of data a damaged archive is damaged data, whatever the archive's own reader calls it.
    if (error instanceof GatefoldError && error.code !== 'DATA_INVALID') {
      fail('DATA_INVALID', 'the .npz archive cannot be read', {
        ...error.detail,
        found: error.message.split('\n')[0]!,
      });
    }
    throw error;
  }
}

/** Writes arrays as a compressed .npz archive. Same arrays, same bytes. */
export function writeNpz(
  arrays: Iterable<[string, { readonly shape: readonly number[]; readonly data: NumberArray }]>,
): Uint8Array {
  const files: Record<string, Uint8Array> = {};
  for (const [name, array] of arrays) files[`${name}.npy`] = writeNpy(array);
  return zipSync(files, { mtime: '1980-01-01T00:00:00' });
}
