import type { Backend, Matrix, OperandCodes } from './backend/types.ts';
import { rowsOf } from './backend/types.ts';

/** A matrix that takes part in differentiation. */
export interface Var {
  readonly value: Matrix;
  /** Whether anything it depends on is trained. */
  readonly tracked: boolean;
  /** ∂L/∂value, zero until something adds to it. @internal */
  readonly gradient: () => Matrix;
  /** For weights: how the other factor of their products is coded. */
  readonly operand?: OperandCodes;
}

/** The values that one place of a scan's body has at all steps, in one piece: so that products over all steps are one. */
interface Slab {
  readonly value: Matrix;
  gradient: Matrix | undefined;
}

/**
 * Records what is computed so that it can be differentiated backwards (reverse mode). Values live until the caller
 * releases the backend's memory.
 */
export class Tape {
  readonly backend: Backend;
  private steps: (() => void)[] = [];
  private scanning: { readonly count: number; step: number; next: number; readonly slabs: Slab[] } | undefined;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** A value without gradient. */
  constant(value: Matrix): Var {
    return { value, tracked: false, gradient: () => this.zeros(value.rows, value.cols) };
  }

  /** A new value for an operation to fill. */
  result(rows: number, cols: number, ...sources: readonly Var[]): Var {
    const tracked = sources.some((source) => source.tracked);
    const { scanning } = this;
    if (!scanning) {
      const value = this.backend.alloc(rows, cols);
      return this.variable(value, tracked);
    }
    const { count, step } = scanning;
    scanning.slabs[scanning.next] ??= { value: this.backend.alloc(count * rows, cols), gradient: undefined };
    const slab = scanning.slabs[scanning.next++]!;
    return {
      value: rowsOf(slab.value, step * rows, rows),
      tracked,
      gradient: () => {
        slab.gradient ??= this.zeros(count * rows, cols);
        return rowsOf(slab.gradient, step * rows, rows);
      },
    };
  }

  /** A variable at a value that exists. */
  variable(value: Matrix, tracked: boolean): Var {
    let gradient: Matrix | undefined;
    return {
      value,
      tracked,
      gradient: () => {
        gradient ??= this.zeros(value.rows, value.cols);
        return gradient;
      },
    };
  }

  /** A part of a variable: `pick` takes it out of the value, and out of the gradient. */
  view(of: Var, pick: (m: Matrix) => Matrix): Var {
    const { operand } = of;
    return {
      value: pick(of.value),
      tracked: of.tracked,
      gradient: () => pick(of.gradient()),
      ...(operand ? { operand } : {}),
    };
  }

  /** Room for a matrix of zeros. */
  zeros(rows: number, cols: number): Matrix {
    const m = this.backend.alloc(rows, cols);
    this.backend.fill(m, 0);
    return m;
  }

  /** Adds a step to the way back, where its result is tracked. */
  record(result: Var, backward: () => void): Var {
    if (result.tracked) this.steps.push(backward);
    return result;
  }

  /** Runs `body` for each step; what it makes at one place stands, for all steps, in one piece. */
  scan(count: number, body: (step: number) => void): void {
    const scanning = { count, step: 0, next: 0, slabs: [] };
    this.scanning = scanning;
    try {
      for (let step = 0; step < count; step++) {
        scanning.step = step;
        scanning.next = 0;
        body(step);
      }
    } finally {
      this.scanning = undefined;
    }
  }

  /** Goes all the way back; the gradients of what the loss depends on are then complete. */
  backward(): void {
    for (let i = this.steps.length - 1; i >= 0; i--) this.steps[i]!();
    this.steps = [];
  }
}
