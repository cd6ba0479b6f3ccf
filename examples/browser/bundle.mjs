// One file of the runtime per page: bundled by esbuild when it is served, so that the page shows what the sources are.

import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** @returns the bundle's text and its size as a server would send it */
export async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [at(`page/${entry}`)],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  const { text } = outputFiles[0];
  return { text, gzipped: gzipSync(text, { level: 9 }).length };
}
