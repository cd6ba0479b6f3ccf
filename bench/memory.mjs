// No allocation per step: heap growth over a million steps. Run with: node --expose-gc bench/memory.mjs

import { quantize } from '../packages/gatefold/dist/index.js';
import { createSession } from '../packages/runtime/dist/index.js';
import { gatefoldModel } from './contenders/gatefold.mjs';
import { makeInput, makeLayer } from './lib/weights.mjs';

if (!globalThis.gc) throw new Error('run with node --expose-gc');
const units = 16;

/** The layer behind a convolution with stride 2: every second step has no row due. */
function strided(model) {
  const { main } = model.graphs;
  const conv = {
    name: 'conv',
    op: 'conv1d',
    inputs: { x: 'x' },
    outputs: { y: 'conv' },
    attributes: { size: 3, stride: 2, padding: [2, 0] },
    weights: { kernel: 'K' },
  };
  const kernel = { ...model.weights.W, shape: [units, 3 * units] };
  kernel.encoding = { ...kernel.encoding, values: model.weights.W.encoding.values.slice(0, 3 * units * units) };
  return {
    ...model,
    weights: { ...model.weights, K: kernel },
    graphs: { main: { ...main, nodes: [conv, { ...main.nodes[0], inputs: { x: 'conv' } }] } },
  };
}

const lstm = gatefoldModel(makeLayer('lstm', units));
const gru = gatefoldModel(makeLayer('gru', units));
const cases = [
  ...[lstm, gru].flatMap((float) => [float, quantize(float, { bits: 8 }).model, quantize(float, { bits: 4 }).model]),
  strided(lstm),
];
const names = ['lstm', 'lstm int8', 'lstm int4', 'gru', 'gru int8', 'gru int4', 'conv stride 2, lstm'];

const steps = 1_000_000;
let failed = false;
for (const [i, model] of cases.entries()) {
  const session = createSession(model);
  for (const count of [1, 4]) {
    const streams = Array.from({ length: count }, () => session.stream());
    const x = makeInput(units, count);
    const step = count === 1 ? () => streams[0].step(x) : () => session.step(streams, x);
    const heapAfter = (total) => {
      for (let n = 0; n < total; n++) step();
      return process.memoryUsage().heapUsed;
    };
    // The first million is for V8's compilers, which leave garbage of their own.
    heapAfter(steps);
    const growth = () => {
      globalThis.gc();
      const before = process.memoryUsage().heapUsed;
      return heapAfter(steps) - before;
    };
    // Now and then they compile once more, in the background; what a step allocates is there in every run.
    let grown = growth();
    for (let again = 0; again < 9 && grown >= steps / 10; again++) grown = Math.min(grown, growth());
    // The smallest object is 16 bytes: far below one in a hundred steps, nothing that a step does allocates.
    const clean = grown < steps / 10;
    failed ||= !clean;
    console.log(
      `${names[i]}, ${count} stream${count > 1 ? 's' : ''}: ${grown} bytes in ${steps} steps: ${clean ? 'none per step' : 'ALLOCATES'}`,
    );
  }
}
process.exit(failed ? 1 : 0);
