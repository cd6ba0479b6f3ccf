import { createServer } from 'node:http';

/**
 * Serves files on this machine.
 * @param fileOf [content type, body] of a path, or nothing; a third element holds further headers
 * @param port 0 takes a free one
 */
export async function serveFiles(fileOf, port = 0) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const [type, body, headers] = fileOf(pathname) ?? [];
    if (type === undefined) response.writeHead(404).end('not found');
    else response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store', ...headers }).end(body);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}
