// Training beside TensorFlow.js (WASM) and PyTorch (CPU) on the same shapes, in turns:
//
//   node bench/train.mjs [--rounds 3] [--profile] [--node current]
//
// One step is forward, backward and Adam on one batch of random numbers; GFLOP/s count products alone. With --profile it
// is not compared, but said where the time of one thread goes. PyTorch takes part where `interop/setup.sh keras3` has
// installed it.

import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bestBuild } from '../packages/gatefold/dist/train/index.js';
import { installedVersion, installPeers, runUnderCurrentNode } from './lib/node.mjs';
import { cases, flopsOf, titleOf } from './train/cases.mjs';
import { bestStep as ours, profile } from './train/gatefold.mjs';
import { bestStep as tensorflow } from './train/tensorflow.mjs';
import { startTorch } from './train/torch.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    profile: { type: 'boolean', default: false },
    node: { type: 'string' },
  },
});
runUnderCurrentNode(here, fileURLToPath(import.meta.url), options.node);

/** What the machine was doing: figures of a busy one are too low. */
const load = () => `load ${loadavg()[0].toFixed(1)} on ${availableParallelism()} processors`;
const gflops = (shape, ms) => flopsOf(shape) / ms / 1e6;

async function compare(torch, rounds) {
  for (const shape of cases) {
    const contenders = {
      'gatefold, 1 thread': () => ours(shape, 1, 40),
      'gatefold, 2 threads': () => ours(shape, 2, 40),
      'tfjs-wasm': () => tensorflow(shape, 2),
      ...(torch && {
        'PyTorch, 1 thread': () => torch.bestStep(shape, 1, 20),
        'PyTorch, 2 threads': () => torch.bestStep(shape, 2, 20),
      }),
    };
    const best = Object.fromEntries(Object.keys(contenders).map((name) => [name, Number.POSITIVE_INFINITY]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, run] of Object.entries(contenders)) best[name] = Math.min(best[name], await run());
    }
    console.log(`\n${titleOf(shape)} (${load()})`.padEnd(47), `${'× tfjs'.padStart(8)}${torch ? '  × PyTorch' : ''}`);
    for (const [name, ms] of Object.entries(best)) {
      const peer = best[name.replace('gatefold', 'PyTorch')];
      const beside = torch && name.startsWith('gatefold') ? (peer / ms).toFixed(2).padStart(11) : '';
      const speed = `${ms.toFixed(1).padStart(8)} ms ${gflops(shape, ms).toFixed(1).padStart(6)} GFLOP/s`;
      console.log(`${name.padEnd(20)}${speed} ${(best['tfjs-wasm'] / ms).toFixed(1).padStart(8)}${beside}`);
    }
  }
}

async function showProfiles() {
  for (const shape of cases) {
    const { total, parts } = await profile(shape, 40);
    console.log(`\n${titleOf(shape)}, one thread: ${total.toFixed(1)} ms of processor time (${load()})`);
    for (const [name, ms] of parts) {
      console.log(
        `  ${name.padEnd(28)}${ms.toFixed(2).padStart(8)} ms ${((100 * ms) / total).toFixed(1).padStart(6)} %`,
      );
    }
  }
}

console.log(`Node ${process.version}, ${cpus()[0].model}, gatefold's ${bestBuild()} kernels`);
if (options.profile) await showProfiles();
else {
  installPeers(here);
  const torch = await startTorch();
  console.log(`TensorFlow.js ${installedVersion('@tensorflow/tfjs')}, PyTorch ${torch?.version ?? '(not installed)'}`);
  console.log('ms per step (best)');
  await compare(torch, Number(options.rounds));
  torch?.close();
}
