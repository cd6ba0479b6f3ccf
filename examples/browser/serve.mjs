// Serves the page that recognises drawn digits: npm run example:browser [-- --port 8080]
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.mjs';
import { digitsModel } from './model.mjs';
import { serveFiles } from './server.mjs';

const page = (name) => readFileSync(fileURLToPath(new URL(`page/${name}`, import.meta.url)), 'utf8');

/** Under this path pages are cross-origin isolated, so that their workers may share memory. */
const isolated = '/isolated/';
const isolation = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** Starts the server; port 0 takes a free one. */
export async function serve(port = 0) {
  const scripts = ['app.js', 'worklet.js', 'train-worker.js', 'train-thread.js'];
  const [model, ...bundles] = await Promise.all([digitsModel(), ...scripts.map(bundle)]);
  const sizes = JSON.stringify({ runtime: bundles[0].gzipped, model: model.length });
  const files = {
    '/': ['text/html', () => page('index.html').replace('"SIZES"', sizes)],
    '/worklet.html': ['text/html', () => page('worklet.html')],
    '/train.html': ['text/html', () => page('train.html')],
    ...Object.fromEntries(scripts.map((name, i) => [`/${name}`, ['text/javascript', () => bundles[i].text]])),
    '/digits-int8.gatefold': ['application/octet-stream', () => model],
    '/favicon.ico': ['image/x-icon', () => ''],
  };
  return serveFiles((path) => {
    const isIsolated = path.startsWith(isolated);
    const file = files[isIsolated ? path.slice(isolated.length - 1) : path];
    return file && [file[0], file[1](), isIsolated ? isolation : {}];
  }, port);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8028' } } });
  const { url } = await serve(Number(values.port));
  console.log(`Draw digits at ${url} (Ctrl-C ends it)`);
}
