import type { Tape, Var } from '../tape.ts';
import { firstState, type Recurrence, type RecurrenceResult } from './layer.ts';
import { Walk } from './walk.ts';

// Cells whose element-wise half is one kernel a step.

/**
 * The usual LSTM: the pre-activations become gates where they stand, and on the way back gradients; beside them only c and h
 * are kept.
 */
export function lstm(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { steps, batch, options } = layer;
  const c0 = firstState(tape, layer, 'c', options.units);
  const walk = new Walk(tape, layer, pre, c0);
  const { y } = walk;
  const z = pre.value;
  const c = backend.alloc(steps * batch, options.units);
  walk.forward(z, true, ({ now, before }) => {
    backend.lstmForward(now(z), before(c, c0.value), now(c), now(y.value));
  });
  const cN = tape.variable(walk.last(c), y.tracked);
  tape.record(y, () => {
    // Holds ∂L/∂c of the step under way.
    const dc = cN.gradient();
    walk.backward(z, ({ now, before }, dh) => backend.lstmBackward(now(z), before(c, c0.value), now(c), dh, dc));
    if (c0.tracked) backend.scaled(1, dc, c0.gradient(), true);
  });
  return walk.result({ c: cN });
}

/** The usual GRU (reset after), likewise; u = U·h + bR stands beside. */
export function gru(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { steps, batch, options } = layer;
  const bR = layer.weights('bR');
  const walk = new Walk(tape, layer, pre, ...(bR ? [bR] : []));
  const { y, h0 } = walk;
  const u = backend.alloc(steps * batch, 3 * options.units);
  if (bR) backend.scaled(1, { ...bR.value, rows: u.rows, stride: 0 }, u, false);
  walk.forward(u, bR !== undefined, ({ now, before }) => {
    backend.gruForward(now(pre.value), now(u), before(y.value, h0.value), now(y.value));
  });
  tape.record(y, () => {
    walk.backward(u, ({ now, before }, dh, dhBefore) => {
      const mark = backend.mark();
      const direct = backend.alloc(batch, options.units);
      backend.gruBackward(now(pre.value), now(u), before(y.value, h0.value), dh, direct);
      if (dhBefore) backend.scaled(1, direct, dhBefore, true);
      backend.release(mark);
    });
    if (bR?.tracked) backend.sumRows(u, undefined, bR.gradient());
  });
  return walk.result();
}

/** h' = f(pre + U·h): beside the sums only h is kept. */
export function simple(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { activation } = layer.options;
  const walk = new Walk(tape, layer, pre);
  const { y } = walk;
  const z = pre.value;
  walk.forward(z, true, ({ now }) => backend.unary(activation, now(z), now(y.value)));
  tape.record(y, () => {
    const dz = pre.gradient();
    walk.backward(dz, ({ now }, dh) => backend.unaryGradient(activation, now(z), now(y.value), dh, now(dz)));
  });
  return walk.result();
}
