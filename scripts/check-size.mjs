// The runtime's budget: what an application bundles to read a .gatefold file and run it (minified JavaScript and both
// embedded WASM builds, without the reference engine) stays within 60 kB gzipped.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { at } from './lib/files.mjs';

const budget = 60_000;
const kernels = ['simd128', 'relaxed'];

/** Bytes of the gzipped bundle; the kernels that are left out become empty strings. */
async function bundle(included) {
  const leaveOut = {
    name: 'leave-out',
    setup({ onLoad }) {
      onLoad({ filter: /wasm[\\/]generated[\\/]kernels\.ts$/ }, async ({ path }) => {
        let contents = await readFile(path, 'utf8');
        for (const name of kernels.filter((kernel) => !included.includes(kernel))) {
          contents = contents.replace(new RegExp(`(export const ${name} =\\s*)'[^']*'`), "$1''");
        }
        return { contents, loader: 'ts' };
      });
    },
  };
  const { outputFiles } = await build({
    stdin: {
      contents: `export { createSession, readGatefold } from './index.ts';`,
      resolveDir: at('packages/runtime/src'),
      loader: 'ts',
    },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
    plugins: [leaveOut],
  });
  const code = outputFiles[0].contents;
  return { raw: code.length, gzipped: gzipSync(code, { level: 9 }).length };
}

const whole = await bundle(kernels);
const script = await bundle([]);
const line = (name, { raw, gzipped }) =>
  console.log(`${name.padEnd(14)} ${String(raw).padStart(8)} bytes ${String(gzipped).padStart(8)} gzipped`);

line('JavaScript', script);
let before = script;
for (let i = 0; i < kernels.length; i++) {
  const after = await bundle(kernels.slice(0, i + 1));
  line(`WASM ${kernels[i]}`, { raw: after.raw - before.raw, gzipped: after.gzipped - before.gzipped });
  before = after;
}
line('all', whole);
if (whole.gzipped > budget) {
  console.error(`The runtime is ${whole.gzipped} bytes gzipped; its budget is ${budget}.`);
  process.exit(1);
}
