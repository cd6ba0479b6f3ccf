import { webWorkers } from 'gatefold';
import { learn } from './learn.js';

addEventListener('message', async ({ data: { threads } }) => {
  const workers = webWorkers(threads - 1, () => new Worker('train-thread.js', { type: 'module' }));
  postMessage({ result: await learn(workers, (event) => event.kind === 'epoch' && postMessage(event)) });
});
