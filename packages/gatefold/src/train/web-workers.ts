import type { Workers } from './parallel.ts';

/**
 * Threads of a browser: so many beside the caller's, which should be a worker itself, so that the page stays alive. `start` makes a
 * worker of a script that imports `gatefold/train-worker`; bundlers want to see that call, which is why it is the caller's. Threads
 * need memory to share: where the page is not cross-origin isolated, `train` works in one.
 */
export function webWorkers(count: number, start: () => Worker): Workers {
  return {
    count,
    spawn() {
      const worker = start();
      return {
        post: (message) => worker.postMessage(message),
        listen(receive) {
          worker.addEventListener('message', ({ data }) => receive(data));
          worker.addEventListener('error', ({ message }) => receive({ error: message || 'a worker did not start' }));
        },
        close: () => worker.terminate(),
      };
    },
  };
}
