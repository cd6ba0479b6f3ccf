import { type Cell, clipped } from './types.ts';

const gates = ['update', 'reset', 'candidate'];

/**
 * Gated recurrent unit (Cho et al. 2014), z keeping the old state:
 *
 *     z = σ(Wz·x + bz + Uz·h)      r = σ(Wr·x + br + Ur·h)
 *     reset before:  n = φ(Wn·x + bn + Un·(r⊙h))
 *     reset after:   u = U·h + bR (all gates), n = φ(Wn·x + bn + r⊙un)
 *     h' = z⊙h + (1−z)⊙n
 */
export const gru: Cell = {
  name: 'gru',
  gates: () => gates,
  states: [{ name: 'h', width: 'units' }],
  weights: ({ resetAfter }) => [
    { role: 'W', gates, rows: 'units', columns: 'features', bias: 'b' },
    {
      ...{ role: 'U', gates, rows: 'units', columns: 'units' },
      ...(resetAfter ? { bias: 'bR' } : { bias: 'b', inner: ['candidate'] }),
    },
    { role: 'b', gates, rows: 'units', optional: true },
    ...(resetAfter ? [{ role: 'bR', gates, rows: 'units', optional: true } as const] : []),
  ],
  step(ops, pre, state, options) {
    const { activation: φ, recurrentActivation: σ } = options;
    const h = state.h!;
    const preN = ops.gates(pre, 2, 1);
    const clip = (v: typeof h) => clipped(ops, v, options);
    let zr: typeof h;
    let n: typeof h;
    if (options.resetAfter) {
      const u = ops.linear('U', h, options.has('bR') ? { bias: 'bR' } : {});
      zr = ops.apply(σ, clip(ops.add(ops.gates(pre, 0, 2), ops.gates(u, 0, 2))));
      n = ops.apply(φ, clip(ops.add(preN, ops.multiply(ops.gates(zr, 1, 1), ops.gates(u, 2, 1)))));
    } else {
      zr = ops.apply(σ, clip(ops.linear('U', h, { first: 0, count: 2, add: ops.gates(pre, 0, 2) })));
      const rh = ops.multiply(ops.gates(zr, 1, 1), h);
      n = ops.apply(φ, clip(ops.linear('U', rh, { first: 2, count: 1, add: preN })));
    }
    const z = ops.gates(zr, 0, 1);
    return { h: ops.add(ops.multiply(z, h), ops.multiply(ops.apply(['oneMinus'], z), n)) };
  },
  fused({ resetAfter, activation, recurrentActivation, clip }) {
    return resetAfter && clip === undefined && activation[0] === 'tanh' && recurrentActivation[0] === 'sigmoid'
      ? 'gru'
      : undefined;
  },
};
