import { type Matrix, type Packed, rowsOf } from '../backend/types.ts';
import type { Tape, Var } from '../tape.ts';
import { order, type Recurrence, type RecurrenceResult, weightGradient, zeros } from './layer.ts';

/**
 * Makes of h what enters the recurrent product at step t: dropped out and coded where that is asked for. Its room is taken
 * at once, for all steps.
 */
function entering({ backend }: Tape, layer: Recurrence, { operand }: Var): (h: Matrix, t: number) => Matrix {
  const { recurrentDropout, options, steps, batch } = layer;
  if (!recurrentDropout && !operand) return (h) => h;
  const all = backend.alloc(steps * batch, options.units);
  return (h, t) => {
    const out = rowsOf(all, t * batch, batch);
    if (recurrentDropout) backend.binary('multiply', h, recurrentDropout, out, false);
    if (operand) backend.codeRows(recurrentDropout ? out : h, operand, out);
    return out;
  };
}

/** Runs `body` with op(U) laid out for a product at every step; what `body` allocates is free afterwards. */
function withPacked({ backend }: Tape, U: Matrix, transpose: boolean, body: (packed: Packed) => void): void {
  const mark = backend.mark();
  body(backend.pack(U, transpose));
  backend.release(mark);
}

/**
 * The usual LSTM, all steps by fused kernels: the pre-activations become gates where they stand, and on the way back
 * gradients; beside them only c and h are kept.
 */
export function lstm(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { options, steps, batch, initial } = layer;
  const { units } = options;
  const U = layer.weights('U')!;
  const h0 = initial.h ?? tape.constant(zeros(tape, batch, units));
  const c0 = initial.c ?? tape.constant(zeros(tape, batch, units));
  const y = tape.result(steps * batch, units, pre, U, h0, c0);
  const c = backend.alloc(steps * batch, units);
  const at = (m: Matrix, t: number) => rowsOf(m, t * batch, batch);
  const taken = order(layer);
  const inputs: Matrix[] = [];
  const enter = entering(tape, layer, U);
  withPacked(tape, U.value, true, (packed) => {
    taken.forEach((t, i) => {
      const before = taken[i - 1];
      const z = at(pre.value, t);
      inputs[i] = enter(before === undefined ? h0.value : at(y.value, before), t);
      backend.gemmPacked(inputs[i]!, packed, z, true);
      backend.lstmForward(z, before === undefined ? c0.value : at(c, before), at(c, t), at(y.value, t));
    });
  });
  const last = taken.at(-1)!;
  const hN = tape.view(y, (m) => at(m, last));
  const cN = tape.variable(at(c, last), y.tracked);
  tape.record(y, () => {
    // Holds ∂L/∂c of the step under way.
    const dc = cN.gradient();
    const dy = y.gradient();
    const dh0 = h0.tracked ? h0.gradient() : undefined;
    withPacked(tape, U.value, false, (packed) => {
      for (let i = steps - 1; i >= 0; i--) {
        const t = taken[i]!;
        const before = taken[i - 1];
        const dz = at(pre.value, t);
        const cell = before === undefined ? c0.value : at(c, before);
        backend.lstmBackward(dz, cell, at(c, t), at(dy, t), dc);
        const dh = before === undefined ? dh0 : at(dy, before);
        if (dh) stateGradient(tape, layer, dz, packed, dh);
      }
    });
    if (c0.tracked) backend.scaled(1, dc, c0.gradient(), true);
    if (U.tracked) {
      weightGradient(
        tape,
        U.gradient(),
        taken.map((t, i) => ({ dz: at(pre.value, t), v: inputs[i]! })),
      );
    }
  });
  return { y, states: { h: hN, c: cN } };
}

/** dh ← dh + dz·U, through the dropout. */
function stateGradient(tape: Tape, { recurrentDropout }: Recurrence, dz: Matrix, U: Packed, dh: Matrix): void {
  const { backend } = tape;
  if (!recurrentDropout) {
    backend.gemmPacked(dz, U, dh, true);
    return;
  }
  const mark = backend.mark();
  const t = backend.alloc(dh.rows, dh.cols);
  backend.gemmPacked(dz, U, t, false);
  backend.binary('multiply', t, recurrentDropout, dh, true);
  backend.release(mark);
}

/** h' = f(pre + U·h): beside the sums only h is kept. */
export function simple(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { options, steps, batch, initial } = layer;
  const { units, activation } = options;
  const U = layer.weights('U')!;
  const h0 = initial.h ?? tape.constant(zeros(tape, batch, units));
  const y = tape.result(steps * batch, units, pre, U, h0);
  const at = (m: Matrix, t: number) => rowsOf(m, t * batch, batch);
  const taken = order(layer);
  const inputs: Matrix[] = [];
  const enter = entering(tape, layer, U);
  withPacked(tape, U.value, true, (packed) => {
    taken.forEach((t, i) => {
      const before = taken[i - 1];
      inputs[i] = enter(before === undefined ? h0.value : at(y.value, before), t);
      backend.gemmPacked(inputs[i]!, packed, at(pre.value, t), true);
      backend.unary(activation, at(pre.value, t), at(y.value, t));
    });
  });
  tape.record(y, () => {
    const dz = pre.gradient();
    const dy = y.gradient();
    const dh0 = h0.tracked ? h0.gradient() : undefined;
    withPacked(tape, U.value, false, (packed) => {
      for (let i = steps - 1; i >= 0; i--) {
        const t = taken[i]!;
        const before = taken[i - 1];
        backend.unaryGradient(activation, at(pre.value, t), at(y.value, t), at(dy, t), at(dz, t));
        const dh = before === undefined ? dh0 : at(dy, before);
        if (dh) stateGradient(tape, layer, at(dz, t), packed, dh);
      }
    });
    if (U.tracked) {
      weightGradient(
        tape,
        U.gradient(),
        taken.map((t, i) => ({ dz: at(dz, t), v: inputs[i]! })),
      );
    }
  });
  return { y, states: { h: tape.view(y, (m) => at(m, taken.at(-1)!)) } };
}

/** The usual GRU (reset after), by fused kernels as the LSTM. */
export function gru(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { options, steps, batch, initial } = layer;
  const { units } = options;
  const U = layer.weights('U')!;
  const bR = layer.weights('bR');
  const h0 = initial.h ?? tape.constant(zeros(tape, batch, units));
  const y = tape.result(steps * batch, units, pre, U, h0, ...(bR ? [bR] : []));
  const u = backend.alloc(steps * batch, 3 * units);
  const at = (m: Matrix, t: number) => rowsOf(m, t * batch, batch);
  const taken = order(layer);
  const inputs: Matrix[] = [];
  const enter = entering(tape, layer, U);
  withPacked(tape, U.value, true, (packed) => {
    taken.forEach((t, i) => {
      const before = taken[i - 1];
      const h = before === undefined ? h0.value : at(y.value, before);
      inputs[i] = enter(h, t);
      if (bR) backend.scaled(1, { ...bR.value, rows: batch, stride: 0 }, at(u, t), false);
      backend.gemmPacked(inputs[i]!, packed, at(u, t), bR !== undefined);
      backend.gruForward(at(pre.value, t), at(u, t), h, at(y.value, t));
    });
  });
  const last = taken.at(-1)!;
  tape.record(y, () => {
    const dy = y.gradient();
    const dh0 = h0.tracked ? h0.gradient() : undefined;
    withPacked(tape, U.value, false, (packed) => {
      const direct = backend.alloc(batch, units);
      for (let i = steps - 1; i >= 0; i--) {
        const t = taken[i]!;
        const before = taken[i - 1];
        const h = before === undefined ? h0.value : at(y.value, before);
        backend.gruBackward(at(pre.value, t), at(u, t), h, at(dy, t), direct);
        const dh = before === undefined ? dh0 : at(dy, before);
        if (!dh) continue;
        backend.scaled(1, direct, dh, true);
        stateGradient(tape, layer, at(u, t), packed, dh);
      }
    });
    if (U.tracked) {
      weightGradient(
        tape,
        U.gradient(),
        taken.map((t, i) => ({ dz: at(u, t), v: inputs[i]! })),
      );
    }
    if (bR?.tracked) backend.sumRows(u, undefined, bR.gradient());
  });
  return { y, states: { h: tape.view(y, (m) => at(m, last)) } };
}
