import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Workers } from '../train/index.ts';

/** Threads beside this one, by default one for each further processor; undefined for none. */
export function trainWorkers(threads = availableParallelism()): Workers | undefined {
  if (threads < 2) return undefined;
  return {
    count: threads - 1,
    spawn() {
      const worker = new Worker(new URL('./train-worker.js', import.meta.url));
      return {
        post: (message) => worker.postMessage(message),
        listen(receive) {
          worker.on('message', receive);
          worker.on('error', (error) => receive({ error: error.message }));
        },
        close: () => void worker.terminate(),
      };
    },
  };
}
