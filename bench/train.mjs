// Training beside TensorFlow.js (WASM) on the same shapes, in turns:  node bench/train.mjs [--rounds 3]
//
// One step is forward, backward and Adam on one batch of random numbers. GFLOP/s count products alone, forward once and
// backward twice.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { trainWorkers } from '../packages/gatefold/dist/node/index.js';
import { modelFor, train } from '../packages/gatefold/dist/train/index.js';
import { tensorflow } from './lib/tensorflow.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const cases = [
  { cell: 'lstm', features: 28, units: 128, batch: 64, steps: 28 },
  { cell: 'lstm', features: 65, units: 256, batch: 50, steps: 100 },
  { cell: 'gru', features: 256, units: 512, batch: 32, steps: 64 },
];
const classes = 10;

function data({ features, batch, steps }, batches) {
  const count = batch * batches;
  let a = 1;
  const random = () => {
    a = (Math.imul(a, 1664525) + 1013904223) >>> 0;
    return a / 2 ** 31 - 1;
  };
  return {
    ...{ name: 'random', task: 'classify', count },
    inputs: {
      x: { shape: [count, steps, features], data: Float32Array.from({ length: count * steps * features }, random) },
    },
    targets: { shape: [count], data: Float32Array.from({ length: count }, (_, i) => i % classes) },
  };
}

/** Milliseconds per step, the best of a run; V8 takes some ten steps to compile the kernels of a new thread well. */
async function ours(shape, threads, steps) {
  const set = data(shape, 1);
  const workers = trainWorkers(threads);
  let last;
  let best = Number.POSITIVE_INFINITY;
  await train(modelFor(`${shape.cell}:${shape.units} dense`, set), set, {
    ...{ epochs: steps, batch: shape.batch },
    ...(workers ? { workers } : {}),
    onEvent(event) {
      if (event.kind !== 'step') return;
      const now = performance.now();
      if (last !== undefined && event.step > 3) best = Math.min(best, now - last);
      last = now;
    },
  });
  return best;
}

async function theirs(tf, { cell, features, units, batch, steps }, count) {
  const gates = cell === 'lstm' ? 4 : 3;
  const variable = (...shape) => tf.variable(tf.randomNormal(shape, 0, 0.05));
  const weights = [variable(features, gates * units), variable(units, gates * units), variable(units, classes)];
  const x = Array.from({ length: steps }, () => tf.randomNormal([batch, features]));
  const y = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: batch }, (_, i) => i % classes),
      'int32',
    ),
    classes,
  );
  const adam = tf.train.adam(1e-3);
  const { add, matMul, mul, sigmoid, slice, sub, tanh } = tf;
  const loss = () => {
    const [W, U, V] = weights;
    let h = tf.zeros([batch, units]);
    let c = h;
    for (const step of x) {
      const z = matMul(step, W);
      const u = matMul(h, U);
      const part = (m, k) => slice(m, [0, k * units], [batch, units]);
      if (cell === 'lstm') {
        const [i, f, o, g] = [0, 1, 2, 3].map((k) => add(part(z, k), part(u, k)));
        c = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
        h = mul(sigmoid(o), tanh(c));
      } else {
        const update = sigmoid(add(part(z, 0), part(u, 0)));
        const n = tanh(add(part(z, 2), mul(sigmoid(add(part(z, 1), part(u, 1))), part(u, 2))));
        h = add(mul(update, h), mul(sub(tf.scalar(1), update), n));
      }
    }
    return tf.losses.softmaxCrossEntropy(y, matMul(h, V));
  };
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    adam.minimize(loss);
    weights[0].dataSync();
    best = Math.min(best, performance.now() - start);
  }
  for (const tensor of [...x, y, ...weights]) tensor.dispose();
  return best;
}

const tf = await tensorflow();
console.log(`Node ${process.version}, ${cpus()[0].model}, ms per step (best) and GFLOP/s`);
for (const shape of cases) {
  const { cell, features, units, batch, steps } = shape;
  const flops = 6 * batch * steps * (features + units) * (cell === 'lstm' ? 4 : 3) * units;
  const best = { 'gatefold, 1 thread': Infinity, 'gatefold, 2 threads': Infinity, 'tfjs-wasm': Infinity };
  for (let round = 0; round < Number(values.rounds); round++) {
    best['gatefold, 1 thread'] = Math.min(best['gatefold, 1 thread'], await ours(shape, 1, 40));
    best['gatefold, 2 threads'] = Math.min(best['gatefold, 2 threads'], await ours(shape, 2, 40));
    best['tfjs-wasm'] = Math.min(best['tfjs-wasm'], await theirs(tf, shape, 2));
  }
  console.log(`\n${cell} ${features} → ${units}, batch ${batch}, ${steps} steps`);
  for (const [name, ms] of Object.entries(best)) {
    const ratio = best['tfjs-wasm'] / ms;
    console.log(
      `${name.padEnd(20)} ${ms.toFixed(1).padStart(8)} ms ${(flops / ms / 1e6).toFixed(1).padStart(6)} GFLOP/s ${ratio.toFixed(1).padStart(6)}×`,
    );
  }
}
