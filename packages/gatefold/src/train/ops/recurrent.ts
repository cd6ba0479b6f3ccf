import { cellOf } from '@gatefold/runtime';
import { recur } from '../recurrence/index.ts';
import { countedSteps, place, turned } from './lengths.ts';
import type { TrainOp } from './types.ts';

export const recurrent: TrainOp = (context) => {
  const { tape, op, batch, input, optional, weight, recurrentDropout, before, after } = context;
  const x = input('x');
  const { steps } = x;
  const { cell, options } = cellOf(op);
  const initial = Object.fromEntries(cell.states.map(({ name }) => [name, optional(name)?.v ?? before()?.[name]]));
  // Forward in time padding comes after all that counts, and only final states would see it. Backward in time sequences
  // are turned, each within its own steps.
  const backward = op.node.attributes.direction === 'backward';
  const turns = backward && x.lengths !== undefined;
  const showsStates = cell.states.some(({ name }) => op.node.outputs[name] !== undefined);
  const own = optional('mask');
  const given = turns && own ? place(context, { ...own, lengths: x.lengths! }, turned).v.value : own?.v.value;
  const mask = showsStates ? countedSteps(context, x, given) : given;
  const { y, states } = recur(tape, turns ? place(context, x, turned).v : x.v, {
    cell,
    options,
    steps,
    batch,
    backward: backward && !turns,
    weights: weight,
    initial,
    mask,
    zeroOutputForMask: op.flag('zeroOutputForMask'),
    recurrentDropout: recurrentDropout(options.outputWidth),
  });
  after(states);
  return {
    y: turns ? place(context, { ...x, v: y }, turned) : { ...x, v: y },
    ...Object.fromEntries(Object.entries(states).map(([name, state]) => [name, { v: state, steps: 1 }])),
  };
};
