import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const source = (path: string) => fileURLToPath(new URL(`packages/${path}`, import.meta.url));

/** Tests run on the sources: a package is found under its own name without being built first. */
export const alias = [
  { find: /^@gatefold\/runtime\/reference$/, replacement: source('runtime/src/reference.ts') },
  { find: /^@gatefold\/runtime$/, replacement: source('runtime/src/index.ts') },
  { find: /^gatefold\/node$/, replacement: source('gatefold/src/node/index.ts') },
  { find: /^gatefold$/, replacement: source('gatefold/src/index.ts') },
];

/** vitest leaves one core free, which on two cores is half of them. */
export const maxWorkers = Math.max(2, availableParallelism() - 1);
