// Builds the training kernels: `node packages/gatefold/assembly/build.mjs`, after those of packages/runtime, whose functions and
// generated tables they share. Writes src/train/backend/generated/kernels.ts, the module as base64.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileKernels } from '../../../scripts/lib/kernels.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const binary = await compileKernels(here('index.ts'));
const folder = here('../src/train/backend/generated');
mkdirSync(folder, { recursive: true });
const text = Buffer.from(binary).toString('base64');
writeFileSync(`${folder}/kernels.ts`, `// Written by assembly/build.mjs.\nexport const kernels =\n  '${text}';\n`);
console.log(`training ${binary.length} bytes`);
