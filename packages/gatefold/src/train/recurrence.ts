import type { Activation, Cell, CellOptions, StepOps } from '@gatefold/runtime';
import { type Matrix, type Packed, rowsOf } from './backend/types.ts';
import { add, affine, apply, coded, columns, linear, multiply, scaleRows } from './functions.ts';
import type { Tape, Var } from './tape.ts';

/** A recurrent layer over `steps` × `batch` rows, step by step; results in the order of the input. */
export interface Recurrence {
  readonly cell: Cell;
  readonly options: CellOptions;
  readonly steps: number;
  readonly batch: number;
  readonly backward: boolean;
  readonly weights: (role: string) => Var | undefined;
  /** States before the first step; zero where absent. */
  readonly initial: Readonly<Record<string, Var | undefined>>;
  /** [steps·batch, 1], 1 where a step counts; other steps keep states, and repeat the output or give zeros. */
  readonly mask: Matrix | undefined;
  readonly zeroOutputForMask: boolean;
  /** Factors [batch, outputWidth] on h where it enters the recurrent product (Gal & Ghahramani 2016). */
  readonly recurrentDropout: Matrix | undefined;
}

export interface RecurrenceResult {
  readonly y: Var;
  /** States after the last step. */
  readonly states: Readonly<Record<string, Var>>;
}

/** x [steps·batch, features] through the layer. */
export function recur(tape: Tape, x: Var, layer: Recurrence): RecurrenceResult {
  const fused = layer.mask === undefined && layer.options.units % 4 === 0 ? layer.cell.fused(layer.options) : undefined;
  const inPlace = fused !== undefined;
  const pre = linear(tape, x, layer.weights('W')!, { bias: layer.weights('b'), inPlace });
  if (fused === 'lstm') return lstm(tape, pre, layer);
  if (fused === 'gru') return gru(tape, pre, layer);
  const { cell, options, mask } = layer;
  if (cell.name === 'rnn' && options.clip === undefined && mask === undefined) return simple(tape, pre, layer);
  return composed(tape, pre, layer);
}

/** Steps in the order they are taken. */
function order({ steps, backward }: Recurrence): number[] {
  return Array.from({ length: steps }, (_, i) => (backward ? steps - 1 - i : i));
}

function zeros(tape: Tape, rows: number, cols: number): Matrix {
  const m = tape.backend.alloc(rows, cols);
  tape.backend.fill(m, 0);
  return m;
}

/** dW ← dW + Σ over steps of dzᵀ·v: where the steps of both stand at one distance it is one product. */
function weightGradient(tape: Tape, dW: Matrix, pairs: readonly { readonly dz: Matrix; readonly v: Matrix }[]): void {
  const sorted = [...pairs].sort((a, b) => a.dz.at - b.dz.at);
  for (let i = 0; i < sorted.length; ) {
    const { dz, v } = sorted[i]!;
    let count = 1;
    const follows = (m: Matrix, next: Matrix | undefined) =>
      next !== undefined && next.stride === m.stride && next.at === m.at + count * m.rows * m.stride;
    while (follows(dz, sorted[i + count]?.dz) && follows(v, sorted[i + count]?.v)) count++;
    const whole = (m: Matrix) => ({ ...m, rows: count * m.rows });
    tape.backend.gemm(whole(dz), true, whole(v), false, dW, true);
    i += count;
  }
}

/** The cell's own equations, as variables. */
class TapeOps implements StepOps<Var> {
  /** Every product of every step, and the parts of weights they were with. */
  readonly products: { role: string; from: number; rows: number; dz: Var; v: Var }[] = [];
  private readonly tape: Tape;
  private readonly layer: Recurrence;

  constructor(tape: Tape, layer: Recurrence) {
    this.tape = tape;
    this.layer = layer;
  }

  linear(
    role: string,
    given: Var,
    { first = 0, count, add: sum, bias }: { first?: number; count?: number; add?: Var; bias?: string } = {},
  ): Var {
    const { tape } = this;
    const { cell, options, recurrentDropout } = this.layer;
    const { units } = options;
    const gates = cell.gates(options).length;
    const all = this.layer.weights(role)!;
    const gated = all.value.rows === units * gates;
    const from = gated ? first * units : 0;
    const rows = gated ? (count ?? gates) * units : all.value.rows;
    const kept = role === 'U' && recurrentDropout ? multiply(tape, given, tape.constant(recurrentDropout)) : given;
    const v = coded(tape, kept, all.operand);
    // The weight's own gradient waits until all steps are back: see `composed`.
    const W = tape.constant(rowsOf(all.value, from, rows));
    const shift = bias === undefined ? undefined : this.layer.weights(bias);
    const part = shift && columns(tape, shift, from, rows);
    const y = linear(tape, v, W, { bias: part, ...(sum ? { add: sum } : {}) });
    const tracked = { ...y, tracked: y.tracked || all.tracked };
    this.products.push({ role, from, rows, dz: tracked, v });
    return tracked;
  }

  get places(): { role: string; from: number; rows: number }[] {
    return [...new Map(this.products.map((p) => [`${p.role} ${p.from} ${p.rows}`, p])).values()];
  }

  gates(z: Var, first: number, count: number): Var {
    const { units } = this.layer.options;
    return columns(this.tape, z, first * units, count * units);
  }

  scale(role: string, gate: number, v: Var): Var {
    return affine(this.tape, v, this.gates(this.layer.weights(role)!, gate, 1), undefined);
  }

  apply(f: Activation, v: Var): Var {
    return apply(this.tape, f, v);
  }

  add(a: Var, b: Var): Var {
    return add(this.tape, a, b);
  }

  multiply(a: Var, b: Var): Var {
    return multiply(this.tape, a, b);
  }
}

/** Any cell with any options: the equations of its file, step by step. */
function composed(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { cell, options, steps, batch, mask } = layer;
  const ops = new TapeOps(tape, layer);
  const outputs = new Array<Var>(steps);
  let states: Record<string, Var> = {};
  for (const { name, width } of cell.states) {
    const cols = width === 'output' ? options.outputWidth : options.units;
    states[name] = layer.initial[name] ?? tape.constant(zeros(tape, batch, cols));
  }
  let previous: Var = tape.constant(zeros(tape, batch, options.outputWidth));
  // The way back of this step comes after those of all steps.
  const trained = tape.variable(pre.value, true);
  tape.record(trained, () => {
    for (const { role, from, rows } of ops.places) {
      const W = layer.weights(role)!;
      if (!W.tracked) continue;
      const pairs = ops.products
        .filter((product) => product.role === role && product.from === from && product.rows === rows)
        .map(({ dz, v }) => ({ dz: dz.gradient(), v: v.value }));
      weightGradient(tape, rowsOf(W.gradient(), from, rows), pairs);
    }
  });
  const taken = order(layer);
  tape.scan(steps, (i) => {
    const t = taken[i]!;
    const row = tape.view(pre, (m) => rowsOf(m, t * batch, batch));
    const next = cell.step(ops, row, states, options) as Record<string, Var>;
    if (!mask) {
      states = next;
      outputs[t] = next.h!;
      return;
    }
    const keep = rowsOf(mask, t * batch, batch);
    const drop = backend.alloc(batch, 1);
    backend.unary(['oneMinus'], keep, drop);
    const select = (a: Var, b: Var) => add(tape, scaleRows(tape, a, keep), scaleRows(tape, b, drop));
    states = Object.fromEntries(cell.states.map(({ name }) => [name, select(next[name]!, states[name]!)]));
    if (layer.zeroOutputForMask) {
      outputs[t] = scaleRows(tape, next.h!, keep);
    } else {
      previous = select(next.h!, previous);
      outputs[t] = previous;
    }
  });
  return { y: stack(tape, outputs, batch), states };
}

/** Steps below each other. */
function stack(tape: Tape, parts: readonly Var[], batch: number): Var {
  const { backend } = tape;
  const y = tape.result(parts.length * batch, parts[0]!.value.cols, ...parts);
  parts.forEach((part, t) => {
    backend.scaled(1, part.value, rowsOf(y.value, t * batch, batch), false);
  });
  return tape.record(y, () => {
    parts.forEach((part, t) => {
      if (part.tracked) backend.scaled(1, rowsOf(y.gradient(), t * batch, batch), part.gradient(), true);
    });
  });
}

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
function lstm(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
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
function simple(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
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
function gru(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
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
