import { trainWorkers } from '../../packages/gatefold/dist/node/index.js';
import { modelFor, train, WasmBackend } from '../../packages/gatefold/dist/train/index.js';
import { classes, least, never, stopwatch } from './cases.mjs';

/** Batches of an epoch: what an epoch's end costs is no part of a step. */
const BATCHES = 4;

function data({ features, batch, steps }) {
  const count = batch * BATCHES;
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

/** Trains for so many steps, `onStep` after each. */
export async function run(shape, steps, onStep, options = {}) {
  const set = data(shape);
  await train(modelFor(`${shape.cell}:${shape.units} dense`, set), set, {
    ...{ epochs: Math.ceil(steps / BATCHES), batch: shape.batch },
    ...options,
    onEvent: (event) => event.kind === 'step' && onStep(event.step),
  });
}

/** The best step of a run; V8 takes some ten steps to compile the kernels of a new thread well. */
export async function bestStep(shape, threads) {
  const workers = trainWorkers(threads);
  let last;
  let best = never;
  const onStep = (step) => {
    if (step % BATCHES !== 1) best = least(best, last);
    last = stopwatch();
  };
  await run(shape, shape.count, onStep, workers ? { workers } : {});
  return best;
}

/** What a method of the backend is for. */
const kinds = {
  gemmPacked: 'products of the recurrence',
  gemm: 'products over all steps',
  pack: 'packing of weights',
  ...{ lstmForward: 'cells', lstmBackward: 'cells', gruForward: 'cells', gruBackward: 'cells' },
  ...{ adam: 'optimizer', sumSquares: 'optimizer' },
  ...{ sumRows: 'sums of biases', scaled: 'copies and additions', fill: 'copies and additions' },
  ...{ read: 'copies and additions', write: 'copies and additions' },
};

/** Where the processor's time of one step in one thread goes, by kind: that of the quickest, without what measuring takes. */
export async function profile(shape) {
  const processorTime = () => stopwatch().processor;
  const backend = new WasmBackend();
  const start = processorTime();
  for (let i = 0; i < 1000; i++) processorTime();
  const own = (processorTime() - start) / 1000;
  let times = new Map();
  let calls = 0;
  const watched = new Proxy(backend, {
    get(target, name) {
      const value = target[name];
      const kind = kinds[name];
      if (typeof value !== 'function') return value;
      if (!kind) return value.bind(target);
      return (...args) => {
        const before = processorTime();
        const result = value.apply(target, args);
        times.set(kind, (times.get(kind) ?? 0) + processorTime() - before - own);
        calls++;
        return result;
      };
    },
  });
  let best = { total: Number.POSITIVE_INFINITY };
  let last;
  const onStep = (step) => {
    const total = processorTime() - last - 2 * own * calls;
    if (step % BATCHES !== 1 && total < best.total) best = { total, times };
    times = new Map();
    calls = 0;
    last = processorTime();
  };
  await run(shape, shape.count, onStep, { backend: watched });
  const named = [...best.times].sort(([, a], [, b]) => b - a);
  const rest = best.total - named.reduce((sum, [, time]) => sum + time, 0);
  return { total: best.total, parts: [...named, ['the rest', rest]] };
}
