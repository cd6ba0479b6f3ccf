import type { Activation, StepOps } from '@gatefold/runtime';
import { rowsOf } from '../backend/types.ts';
import { add, affine, apply, coded, columns, joinRows, linear, multiply, scaleRows } from '../functions.ts';
import type { Tape, Var } from '../tape.ts';
import { firstState, order, type Recurrence, type RecurrenceResult, weightGradient } from './layer.ts';

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
export function composed(tape: Tape, pre: Var, layer: Recurrence): RecurrenceResult {
  const { backend } = tape;
  const { cell, options, steps, batch, mask } = layer;
  const ops = new TapeOps(tape, layer);
  const outputs = new Array<Var>(steps);
  let states: Record<string, Var> = {};
  for (const { name, width } of cell.states) {
    const cols = width === 'output' ? options.outputWidth : options.units;
    states[name] = firstState(tape, layer, name, cols);
  }
  let previous: Var = tape.constant(tape.zeros(batch, options.outputWidth));
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
  return { y: joinRows(tape, outputs), states };
}
