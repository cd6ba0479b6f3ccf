// Builds the WASM kernels from a clean checkout:
//
//   node packages/runtime/assembly/build.mjs
//
// 1. generated/*.ts: opcode numbers, operand offsets, function numbers and coefficients as AssemblyScript, read from
//    the TypeScript tables, so that nothing is stated twice;
// 2. both modules, simd128 and relaxed SIMD, from the same sources;
// 3. src/engine/wasm/generated/kernels.ts: the modules as text, loadable where there is neither fetch nor URL.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { compileKernels } from '../../../scripts/lib/kernels.mjs';
import { coefficientSource, functionSource, memorySource, opcodeSource } from './tables.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Node 20 does not read TypeScript: the tables are bundled to JavaScript and imported from memory. */
async function importTables() {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        export { instructionSet, memoryMap } from './lower/opcodes.ts';
        export { functionNames } from './numerics/activation.ts';
        export { coefficients } from './numerics/coefficients.ts';`,
      resolveDir: here('../src'),
      loader: 'ts',
    },
    bundle: true,
    format: 'esm',
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

const compile = (relaxed) =>
  compileKernels(here('index.ts'), {
    relaxed,
    text: process.argv.includes('--text') ? here(`generated/${relaxed ? 'relaxed' : 'simd128'}.wat`) : undefined,
  });

/** The text form that engine/wasm/unpack.ts reads. */
function pack(binary) {
  const character = (value) => (value + 40 === 92 ? '}' : String.fromCharCode(value + 40));
  return Array.from(binary, (byte) => (byte < 64 ? '' : '!#$'[(byte >> 6) - 1]) + character(byte & 63)).join('');
}

const tables = await importTables();
mkdirSync(here('generated'), { recursive: true });
writeFileSync(here('generated/opcodes.ts'), opcodeSource(tables.instructionSet));
writeFileSync(here('generated/memory-map.ts'), memorySource(tables.memoryMap));
writeFileSync(here('generated/functions.ts'), functionSource(tables.functionNames));
writeFileSync(here('generated/coefficients.ts'), coefficientSource(tables.coefficients));

const modules = { simd128: await compile(false), relaxed: await compile(true) };
mkdirSync(here('../src/engine/wasm/generated'), { recursive: true });
const constants = Object.entries(modules).map(([name, binary]) => `export const ${name} =\n  '${pack(binary)}';\n`);
writeFileSync(
  here('../src/engine/wasm/generated/kernels.ts'),
  `// Written by assembly/build.mjs: the kernels, to be read by unpack.ts.\n${constants.join('')}`,
);
for (const [name, binary] of Object.entries(modules)) {
  console.log(`${name.padEnd(8)} ${binary.length} bytes, ${gzipSync(binary, { level: 9 }).length} gzipped`);
}
