import type { Cell, CellOptions } from '@gatefold/runtime';
import type { Matrix } from '../backend/types.ts';
import type { Tape, Var } from '../tape.ts';

// What the ways to run a recurrent layer have in common.

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

/** Steps in the order they are taken. */
export function order({ steps, backward }: Recurrence): number[] {
  return Array.from({ length: steps }, (_, i) => (backward ? steps - 1 - i : i));
}

/** A state before the first step, [batch, width]. */
export function firstState(tape: Tape, { initial, batch }: Recurrence, name: string, width: number): Var {
  return initial[name] ?? tape.constant(tape.zeros(batch, width));
}

/** dW ← dW + Σ over steps of dzᵀ·v: where the steps of both stand at one distance it is one product. */
export function weightGradient(
  tape: Tape,
  dW: Matrix,
  pairs: readonly { readonly dz: Matrix; readonly v: Matrix }[],
): void {
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
