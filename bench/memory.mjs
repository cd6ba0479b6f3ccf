// No allocation per step: heap growth over a million steps. Run with: node --expose-gc bench/memory.mjs

import { quantize } from '../packages/gatefold/dist/index.js';
import { createSession } from '../packages/runtime/dist/index.js';
import { gatefoldModel } from './contenders/gatefold.mjs';
import { makeInput, makeLayer } from './lib/weights.mjs';

if (!globalThis.gc) throw new Error('run with node --expose-gc');
const total = 1_000_000;
let failed = false;
for (const cell of ['lstm', 'gru']) {
  for (const bits of [32, 8, 4]) {
    const float = gatefoldModel(makeLayer(cell, 16));
    const session = createSession(bits === 32 ? float : quantize(float, { bits }).model);
    const stream = session.stream();
    const x = makeInput(16, 1);
    for (let i = 0; i < 20_000; i++) stream.step(x);
    globalThis.gc();
    const before = process.memoryUsage();
    for (let i = 0; i < total; i++) stream.step(x);
    const peak = process.memoryUsage().heapUsed - before.heapUsed;
    globalThis.gc();
    const kept = process.memoryUsage().heapUsed - before.heapUsed;
    // Below one byte per ten steps there is nothing that a step allocates: what is left is the engine's own housekeeping.
    const clean = peak < total / 10;
    failed ||= !clean;
    console.log(
      `${cell} ${bits} bits: heap ${peak} bytes after ${total} steps (${kept} after collection): ${clean ? 'none per step' : 'ALLOCATES'}`,
    );
  }
}
process.exit(failed ? 1 : 0);
