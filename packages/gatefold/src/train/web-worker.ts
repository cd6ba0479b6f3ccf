import { serveReplica } from './parallel.ts';

// A thread of training in a browser: the script of a worker that `webWorkers` was told to start.

serveReplica({
  post: (message) => postMessage(message),
  listen: (receive) => addEventListener('message', ({ data }) => receive(data)),
  close: () => close(),
});
