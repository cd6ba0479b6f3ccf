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
  const { outputFiles, metafile } = await build({
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
    metafile: true,
    logLevel: 'error',
    plugins: [leaveOut],
  });
  const code = outputFiles[0].contents;
  return {
    raw: code.length,
    gzipped: gzipSync(code, { level: 9 }).length,
    files: Object.entries(Object.values(metafile.outputs)[0].inputs).filter(
      ([, { bytesInOutput }]) => bytesInOutput > 0,
    ),
  };
}

/** What is measured must be what is shipped: a number for something else would pass for ever. */
function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

const whole = await bundle(kernels);
const script = await bundle([]);
const line = (name, { raw, gzipped }) =>
  console.log(`${name.padEnd(14)} ${String(raw).padStart(8)} bytes ${String(gzipped).padStart(8)} gzipped`);

line('JavaScript', script);
let before = script;
for (let i = 0; i < kernels.length; i++) {
  const after = await bundle(kernels.slice(0, i + 1));
  const share = { raw: after.raw - before.raw, gzipped: after.gzipped - before.gzipped };
  line(`WASM ${kernels[i]}`, share);
  if (share.raw < 1000) fail(`The ${kernels[i]} build is not in the bundle: was it renamed in generated/kernels.ts?`);
  before = after;
}
line('all', whole);
const strays = whole.files.filter(([file]) => file.includes('engine/reference')).map(([file]) => file);
if (strays.length > 0) fail(`The reference engine is in the bundle: ${strays.join(', ')}.`);
if (whole.gzipped > budget) fail(`The runtime is ${whole.gzipped} bytes gzipped; its budget is ${budget}.`);
