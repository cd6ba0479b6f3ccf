// Builds the training kernels: `node packages/gatefold/assembly/build.mjs`, after those of packages/runtime, whose functions and
// generated tables they share. Both modules, simd128 and relaxed SIMD, come from the same sources; they are written into
// src/train/backend/generated/kernels.ts as base64.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileKernels } from '../../../scripts/lib/kernels.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const simd128 = await compileKernels(here('index.ts'));
const relaxed = await compileKernels(here('index.ts'), { relaxed: true });
const folder = here('../src/train/backend/generated');
mkdirSync(folder, { recursive: true });
const constants = Object.entries({ simd128, relaxed }).map(([name, binary]) => {
  console.log(`training ${name.padEnd(8)} ${binary.length} bytes`);
  return `export const ${name} =\n  '${Buffer.from(binary).toString('base64')}';\n`;
});
writeFileSync(`${folder}/kernels.ts`, `// Written by assembly/build.mjs.\n${constants.join('')}`);
