// Public data that are too large, or not ours, to stand here: GATEFOLD_CORPUS names the folder that holds them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The bytes of a file below its `data` folder. */
export function corpusFile(...path) {
  const root = process.env.GATEFOLD_CORPUS;
  if (!root) throw new Error('set GATEFOLD_CORPUS to the folder of the data, see docs/training.md');
  return new Uint8Array(readFileSync(join(root, 'data', ...path)));
}
