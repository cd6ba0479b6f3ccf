// Serves the page that recognises drawn digits: npm run example:browser [-- --port 8080]
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.mjs';
import { digitsModel } from './model.mjs';

const page = (name) => readFileSync(fileURLToPath(new URL(`page/${name}`, import.meta.url)), 'utf8');

/** Starts the server; port 0 takes a free one. */
export async function serve(port = 0) {
  const [app, worklet, model] = await Promise.all([bundle('app.js'), bundle('worklet.js'), digitsModel()]);
  const sizes = JSON.stringify({ runtime: app.gzipped, model: model.length });
  const files = {
    '/': ['text/html', () => page('index.html').replace('"SIZES"', sizes)],
    '/worklet.html': ['text/html', () => page('worklet.html')],
    '/app.js': ['text/javascript', () => app.text],
    '/worklet.js': ['text/javascript', () => worklet.text],
    '/digits-int8.gatefold': ['application/octet-stream', () => model],
    '/favicon.ico': ['image/x-icon', () => ''],
  };
  const server = createServer((request, response) => {
    const file = files[new URL(request.url, 'http://localhost').pathname];
    if (!file) {
      response.writeHead(404).end('not found');
      return;
    }
    response.writeHead(200, { 'content-type': file[0], 'cache-control': 'no-store' }).end(file[1]());
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8028' } } });
  const { url } = await serve(Number(values.port));
  console.log(`Draw digits at ${url} (Ctrl-C ends it)`);
}
