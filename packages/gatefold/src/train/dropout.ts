import type { Backend, Matrix } from './backend/types.ts';
import { multiplyBy } from './functions.ts';
import type { Tape, Var } from './tape.ts';

/** 1/(1 − rate) or 0 (Srivastava et al. 2014). */
export function dropFactors(backend: Backend, rows: number, cols: number, rate: number, random: () => number): Matrix {
  const factors = new Float32Array(rows * cols);
  for (let i = 0; i < factors.length; i++) factors[i] = random() < rate ? 0 : 1 / (1 - rate);
  const m = backend.alloc(rows, cols);
  backend.write(m, factors);
  return m;
}

export function dropOut(tape: Tape, v: Var, rate: number, random: () => number): Var {
  return multiplyBy(tape, v, dropFactors(tape.backend, v.value.rows, v.value.cols, rate, random));
}
