import { type Cell, clipped } from './types.ts';

/** Elman network (Elman 1990): h' = f(W·x + b + U·h). */
export const rnn: Cell = {
  name: 'rnn',
  gates: () => ['candidate'],
  states: [{ name: 'h', width: 'units' }],
  weights: () => [
    { role: 'W', gates: ['candidate'], rows: 'units', columns: 'features', bias: 'b' },
    { role: 'U', gates: ['candidate'], rows: 'units', columns: 'units', bias: 'b' },
    { role: 'b', gates: ['candidate'], rows: 'units', optional: true },
  ],
  step(ops, pre, { h }, options) {
    return { h: ops.apply(options.activation, clipped(ops, ops.linear('U', h!, { add: pre }), options)) };
  },
  fused: () => undefined,
};
