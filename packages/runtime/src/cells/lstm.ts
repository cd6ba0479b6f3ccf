import { type Cell, type CellOptions, clipped } from './types.ts';

const gates = ({ coupled }: CellOptions) =>
  coupled ? ['forget', 'output', 'candidate'] : ['input', 'forget', 'output', 'candidate'];

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate Gers et al. 2000; peepholes P Gers et al. 2002;
 * projection R Sak et al. 2014; coupled input and forget gate Greff et al. 2017; c may be clipped, Sak et al. 2014; so may W·x + b be,
 * where a gate is a 16-bit integer that saturates, Li & Alvarez 2021):
 *
 *     i = σ(Wi·x + bi + Ui·h [+ pi⊙c])      f likewise      g = φ(Wg·x + bg + Ug·h)
 *     c' = f⊙c + i⊙g      o = σ(Wo·x + bo + Uo·h [+ po⊙c'])      h' = [R·](o⊙φ(c'))
 */
export const lstm: Cell = {
  name: 'lstm',
  gates,
  states: [
    { name: 'h', width: 'output' },
    { name: 'c', width: 'units' },
  ],
  weights(options) {
    const all = gates(options);
    return [
      { role: 'W', gates: all, rows: 'units', columns: 'features', bias: 'b' },
      { role: 'U', gates: all, rows: 'units', columns: 'output', bias: 'b' },
      { role: 'b', gates: all, rows: 'units', optional: true },
      { role: 'P', gates: all.slice(0, -1), rows: 'units', optional: true },
      { role: 'R', rows: 'output', columns: 'units', optional: true },
    ];
  },
  step(ops, pre, state, options) {
    const { activation: φ, recurrentActivation: σ, coupled, cellClip, inputClip } = options;
    const c = state.c!;
    const input = inputClip === undefined ? pre : ops.apply(['clip', -inputClip, inputClip], pre);
    const z = ops.linear('U', state.h!, { add: input });
    const last = coupled ? 2 : 3;
    const peep = (gate: number, v: typeof c) => {
      const zk = ops.gates(z, gate, 1);
      return clipped(ops, options.has('P') ? ops.add(zk, ops.scale('P', gate, v)) : zk, options);
    };
    const f = ops.apply(σ, peep(last - 2, c));
    const i = coupled ? ops.apply(['oneMinus'], f) : ops.apply(σ, peep(0, c));
    const g = ops.apply(φ, clipped(ops, ops.gates(z, last, 1), options));
    const sum = ops.add(ops.multiply(f, c), ops.multiply(i, g));
    const c1 = cellClip === undefined ? sum : ops.apply(['clip', -cellClip, cellClip], sum);
    const o = ops.apply(σ, peep(last - 1, c1));
    const m = ops.multiply(o, ops.apply(φ, c1));
    return { h: options.has('R') ? ops.linear('R', m) : m, c: c1 };
  },
  fused(options) {
    const clips = [options.clip, options.cellClip, options.inputClip].some((bound) => bound !== undefined);
    const plain = !options.coupled && !clips && !options.has('P') && !options.has('R');
    return plain && options.activation[0] === 'tanh' && options.recurrentActivation[0] === 'sigmoid'
      ? 'lstm'
      : undefined;
  },
};
