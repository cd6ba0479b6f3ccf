/** What is trained: one recurrent layer and a dense one on its last step, ten classes. */
export const cases = [
  { cell: 'lstm', features: 28, units: 128, batch: 64, steps: 28 },
  { cell: 'lstm', features: 65, units: 256, batch: 50, steps: 100 },
  { cell: 'gru', features: 256, units: 512, batch: 32, steps: 64 },
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
