import { parentPort } from 'node:worker_threads';
import { serveReplica } from '../train/index.ts';

// A thread of training, started by `trainWorkers`.

const port = parentPort!;
serveReplica({
  post: (message) => port.postMessage(message),
  listen: (receive) => port.on('message', receive),
  close: () => port.close(),
});
