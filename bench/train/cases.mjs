/** What is trained: one recurrent layer and a dense one on its last step, ten classes; `count` steps in a turn. */
export const cases = [
  { cell: 'lstm', features: 28, units: 128, batch: 64, steps: 28, count: 40 },
  { cell: 'lstm', features: 65, units: 256, batch: 50, steps: 100, count: 20 },
  { cell: 'gru', features: 256, units: 512, batch: 32, steps: 64, count: 20 },
];
export const classes = 10;

export const gatesOf = (cell) => (cell === 'lstm' ? 4 : 3);

/**
 * Operations of the products of one step: W forward and its gradient, U forward, its gradient and that of the state. The
 * gradient of the input is not counted, because nobody computes it.
 */
export function flopsOf({ cell, features, units, batch, steps }) {
  return 2 * batch * steps * gatesOf(cell) * units * (2 * features + 3 * units);
}

export const titleOf = ({ cell, features, units, batch, steps }) =>
  `${cell} ${features} → ${units}, batch ${batch}, ${steps} steps`;

/**
 * Milliseconds: of the clock, and of the processor on all threads of the process. On a busy machine the clock tells how busy
 * it is, the processor what the work takes.
 */
export function stopwatch() {
  const { user, system } = process.cpuUsage();
  return { clock: performance.now(), processor: (user + system) / 1000 };
}

/** The least of both since `start`, and of what was the least. */
export function least(best, start) {
  const now = stopwatch();
  return {
    clock: Math.min(best.clock, now.clock - start.clock),
    processor: Math.min(best.processor, now.processor - start.processor),
  };
}

export const never = { clock: Number.POSITIVE_INFINITY, processor: Number.POSITIVE_INFINITY };
