import { type Matrix, type Packed, rowsOf } from '../backend/types.ts';
import type { Tape, Var } from '../tape.ts';
import { firstState, order, type Recurrence, type RecurrenceResult, weightGradient } from './layer.ts';

/** A step in the order they are taken, as rows of matrices that hold all steps. */
export interface Step {
  readonly now: (all: Matrix) => Matrix;
  /** The rows of the step taken before; at the first one what it begins with. */
  readonly before: <First extends Matrix | undefined>(all: Matrix, first: First) => Matrix | First;
}

/**
 * The way of a cell through its steps and back, where U·h is one product a step: that product, its two gradients, and dropout and codes
 * of h. Only what a cell's kernels do with its sums is the cell's own.
 */
export class Walk {
  /** The output of all steps. */
  readonly y: Var;
  readonly h0: Var;
  private readonly tape: Tape;
  private readonly layer: Recurrence;
  private readonly U: Var;
  private readonly steps: readonly Step[];
  /** What was multiplied by U at each step. */
  private inputs: readonly Matrix[] = [];

  /** `sources`: what the output depends on beside U and the first h. */
  constructor(tape: Tape, layer: Recurrence, ...sources: readonly Var[]) {
    const { steps, batch, options } = layer;
    this.tape = tape;
    this.layer = layer;
    this.U = layer.weights('U')!;
    this.h0 = firstState(tape, layer, 'h', options.units);
    this.y = tape.result(steps * batch, options.units, this.U, this.h0, ...sources);
    const rows = (t: number) => (all: Matrix) => rowsOf(all, t * batch, batch);
    const taken = order(layer).map(rows);
    this.steps = taken.map((now, i) => ({ now, before: (all, first) => taken[i - 1]?.(all) ?? first }));
  }

  /** The rows of the last step. */
  last(all: Matrix): Matrix {
    return this.steps.at(-1)!.now(all);
  }

  /** Each step: `sums` ← [sums +] U·h, of which `kernel` makes the step's rows of `y`. */
  forward(sums: Matrix, add: boolean, kernel: (step: Step) => void): void {
    const { tape, y, h0, U, steps } = this;
    const enter = this.entering();
    withPacked(tape, U.value, true, (packed) => {
      this.inputs = steps.map((step) => {
        const { now, before } = step;
        const h = enter(before(y.value, h0.value), now);
        tape.backend.gemmPacked(h, packed, now(sums), add);
        kernel(step);
        return h;
      });
    });
  }

  /**
   * Each step, the last one first: of dh, ∂L/∂h of the step, `kernel` makes `dz`, the gradient of the sums, and adds to `dhBefore` what does
   * not go through U; nobody asks for that where the first h is a constant.
   */
  backward(dz: Matrix, kernel: (step: Step, dh: Matrix, dhBefore: Matrix | undefined) => void): void {
    const { tape, h0, U, steps } = this;
    const dy = this.y.gradient();
    const dh0 = h0.tracked ? h0.gradient() : undefined;
    withPacked(tape, U.value, false, (packed) => {
      for (const step of steps.toReversed()) {
        const dhBefore = step.before(dy, dh0);
        kernel(step, step.now(dy), dhBefore);
        if (dhBefore) this.stateGradient(step.now(dz), packed, dhBefore);
      }
    });
    if (!U.tracked) return;
    const pairs = steps.map(({ now }, i) => ({ dz: now(dz), v: this.inputs[i]! }));
    weightGradient(tape, U.gradient(), pairs);
  }

  /** The output, and the states after the last step. */
  result(states: RecurrenceResult['states'] = {}): RecurrenceResult {
    const { tape, y } = this;
    return { y, states: { h: tape.view(y, (all) => this.last(all)), ...states } };
  }

  /**
   * Makes of h what enters the product of a step: dropped out and coded where that is asked for. Its room is taken at once, for
   * all steps.
   */
  private entering(): (h: Matrix, now: Step['now']) => Matrix {
    const { backend } = this.tape;
    const { recurrentDropout, options, steps, batch } = this.layer;
    const { operand } = this.U;
    if (!recurrentDropout && !operand) return (h) => h;
    const all = backend.alloc(steps * batch, options.units);
    return (h, now) => {
      const out = now(all);
      if (recurrentDropout) backend.binary('multiply', h, recurrentDropout, out, false);
      if (operand) backend.codeRows(recurrentDropout ? out : h, operand, out);
      return out;
    };
  }

  /** dh ← dh + dz·U, through the dropout. */
  private stateGradient(dz: Matrix, U: Packed, dh: Matrix): void {
    const { backend } = this.tape;
    const { recurrentDropout } = this.layer;
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
}

/** Runs `body` with op(U) laid out for a product at every step; what `body` allocates is free afterwards. */
function withPacked({ backend }: Tape, U: Matrix, transpose: boolean, body: (packed: Packed) => void): void {
  const mark = backend.mark();
  body(backend.pack(U, transpose));
  backend.release(mark);
}
