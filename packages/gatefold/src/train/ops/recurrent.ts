import { cellOf } from '@gatefold/runtime';
import { recur } from '../recurrence.ts';
import type { TrainOp } from './types.ts';

export const recurrent: TrainOp = ({ tape, op, batch, input, optional, weight, recurrentDropout, carried, carry }) => {
  const { backend } = tape;
  const { v, steps } = input('x');
  const { cell, options } = cellOf(op);
  const before = carried();
  const initial = Object.fromEntries(
    cell.states.map(({ name, width }) => {
      const given = optional(name)?.v;
      const values = before?.batch === batch ? before.values[name] : undefined;
      if (given || !values) return [name, given];
      const m = backend.alloc(batch, width === 'output' ? options.outputWidth : options.units);
      backend.write(m, values);
      return [name, tape.constant(m)];
    }),
  );
  const { y, states } = recur(tape, v, {
    cell,
    options,
    steps,
    batch,
    backward: op.node.attributes.direction === 'backward',
    weights: weight,
    initial,
    mask: optional('mask')?.v.value,
    zeroOutputForMask: op.flag('zeroOutputForMask'),
    recurrentDropout: recurrentDropout(options.outputWidth),
  });
  carry({
    batch,
    values: Object.fromEntries(Object.entries(states).map(([name, state]) => [name, backend.read(state.value)])),
  });
  return {
    y: { v: y, steps },
    ...Object.fromEntries(Object.entries(states).map(([name, state]) => [name, { v: state, steps: 1 }])),
  };
};
