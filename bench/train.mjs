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
import { cases, flopsOf, never, titleOf } from './train/cases.mjs';
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
      'gatefold, 1 thread': () => ours(shape, 1),
      'gatefold, 2 threads': () => ours(shape, 2),
      'tfjs-wasm': () => tensorflow(shape, 2),
      ...(torch && {
        'PyTorch, 1 thread': () => torch.bestStep(shape, 1),
        'PyTorch, 2 threads': () => torch.bestStep(shape, 2),
      }),
    };
    const best = Object.fromEntries(Object.keys(contenders).map((name) => [name, never]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, run] of Object.entries(contenders)) {
        const { clock, processor } = await run();
        best[name] = {
          clock: Math.min(best[name].clock, clock),
          processor: Math.min(best[name].processor, processor),
        };
      }
    }
    console.log(`\n${titleOf(shape)} (${load()})`);
    console.log(`${''.padEnd(20)}    clock ms  GFLOP/s   × tfjs  × PyTorch  processor ms   × tfjs  × PyTorch`);
    for (const name of Object.keys(best)) console.log(lineOf(name, best, shape));
  }
}

/** By the clock, then by the processor's time; PyTorch with as many threads. */
function lineOf(name, best, shape) {
  const peer = best[name.replace('gatefold', 'PyTorch')];
  const ratios = (by) =>
    ['tfjs-wasm', name.startsWith('gatefold') && peer && name.replace('gatefold', 'PyTorch')].map((other) =>
      other ? (best[other][by] / best[name][by]).toFixed(2) : '',
    );
  const { clock, processor } = best[name];
  const cells = [
    ...[clock.toFixed(1), gflops(shape, clock).toFixed(1), ...ratios('clock')],
    ...[processor.toFixed(1), ...ratios('processor')],
  ];
  const widths = [12, 9, 9, 11, 14, 9, 11];
  return name.padEnd(20) + cells.map((cell, i) => cell.padStart(widths[i])).join('');
}

async function showProfiles() {
  for (const shape of cases) {
    const { total, parts } = await profile(shape);
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
  console.log('the best step of each');
  await compare(torch, Number(options.rounds));
  torch?.close();
}
