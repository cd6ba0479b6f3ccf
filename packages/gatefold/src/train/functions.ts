import type { Activation } from '@gatefold/runtime';
import { type BinaryFunction, colsOf, type Matrix, type OperandCodes, rowsOf } from './backend/types.ts';
import type { Tape, Var } from './tape.ts';

// Differentiable functions of variables. Each computes at once and records its way back.

/** One row for every row of `m`. */
function spread(row: Matrix, rows: number): Matrix {
  return { ...row, rows, stride: 0 };
}

function sameShape(tape: Tape, a: Var, ...others: readonly Var[]): Var {
  return tape.result(a.value.rows, a.value.cols, a, ...others);
}

/**
 * x·Wᵀ [+ bias] [+ add]; W [outputs, inputs], bias [1, outputs]. `inPlace`: whoever uses the result overwrites it with its
 * gradient.
 */
export function linear(
  tape: Tape,
  given: Var,
  W: Var,
  { bias, add, inPlace = false }: { bias?: Var | undefined; add?: Var; inPlace?: boolean } = {},
): Var {
  const { backend } = tape;
  const x = coded(tape, given, W.operand);
  const made = tape.result(x.value.rows, W.value.rows, x, W, ...(bias ? [bias] : []), ...(add ? [add] : []));
  const y = inPlace ? { ...made, gradient: () => made.value } : made;
  if (add) backend.scaled(1, add.value, y.value, false);
  else if (bias) backend.scaled(1, spread(bias.value, y.value.rows), y.value, false);
  backend.gemm(x.value, false, W.value, true, y.value, add !== undefined || bias !== undefined);
  if (add && bias) backend.scaled(1, spread(bias.value, y.value.rows), y.value, true);
  return tape.record(y, () => {
    const dy = y.gradient();
    if (add?.tracked) backend.scaled(1, dy, add.gradient(), true);
    if (x.tracked) backend.gemm(dy, false, W.value, false, x.gradient(), true);
    if (W.tracked) backend.gemm(dy, true, x.value, false, W.gradient(), true);
    if (bias?.tracked) backend.sumRows(dy, undefined, bias.gradient());
  });
}

/** x as its codes say; the gradient passes as if nothing had been rounded. */
export function coded(tape: Tape, x: Var, codes: OperandCodes | undefined): Var {
  if (!codes) return x;
  const y = sameShape(tape, x);
  tape.backend.codeRows(x.value, codes, y.value);
  return tape.record(y, () => tape.backend.scaled(1, y.gradient(), x.gradient(), true));
}

export function apply(tape: Tape, f: Activation, x: Var): Var {
  if (f[0] === 'linear') return x;
  const { backend } = tape;
  const y = sameShape(tape, x);
  backend.unary(f, x.value, y.value);
  return tape.record(y, () => backend.unaryGradient(f, x.value, y.value, y.gradient(), x.gradient()));
}

/** a ∘ b, element by element. */
export function combine(tape: Tape, kind: Exclude<BinaryFunction, 'atLeast'>, a: Var, b: Var): Var {
  const { backend } = tape;
  const y = sameShape(tape, a, b);
  backend.binary(kind, a.value, b.value, y.value, false);
  return tape.record(y, () => {
    const dy = y.gradient();
    switch (kind) {
      case 'add':
      case 'subtract':
        if (a.tracked) backend.scaled(1, dy, a.gradient(), true);
        if (b.tracked) backend.scaled(kind === 'add' ? 1 : -1, dy, b.gradient(), true);
        return;
      case 'multiply':
        if (a.tracked) backend.binary('multiply', dy, b.value, a.gradient(), true);
        if (b.tracked) backend.binary('multiply', dy, a.value, b.gradient(), true);
        return;
      case 'divide': {
        if (a.tracked) backend.binary('divide', dy, b.value, a.gradient(), true);
        if (!b.tracked) return;
        // −dy·y/b
        const t = backend.alloc(dy.rows, dy.cols);
        backend.binary('multiply', dy, y.value, t, false);
        backend.binary('divide', t, b.value, t, false);
        backend.scaled(-1, t, b.gradient(), true);
        return;
      }
      default: {
        // The gradient goes to the one that was chosen; to a where they are equal.
        const chosen = backend.alloc(dy.rows, dy.cols);
        if (kind === 'maximum') backend.binary('atLeast', a.value, b.value, chosen, false);
        else backend.binary('atLeast', b.value, a.value, chosen, false);
        if (a.tracked) backend.binary('multiply', dy, chosen, a.gradient(), true);
        if (!b.tracked) return;
        backend.binary('multiply', dy, chosen, chosen, false);
        backend.binary('subtract', dy, chosen, b.gradient(), true);
      }
    }
  });
}

export const add = (tape: Tape, a: Var, b: Var): Var => combine(tape, 'add', a, b);
export const multiply = (tape: Tape, a: Var, b: Var): Var => combine(tape, 'multiply', a, b);

/** Every row of x times one row [1, cols], plus another, where they are given. */
export function affine(tape: Tape, x: Var, scale: Var | undefined, shift: Var | undefined): Var {
  if (!scale && !shift) return x;
  const { backend } = tape;
  const y = sameShape(tape, x, ...(scale ? [scale] : []), ...(shift ? [shift] : []));
  const { rows } = x.value;
  const factors = scale && spread(scale.value, rows);
  if (factors) backend.binary('multiply', x.value, factors, y.value, false);
  if (shift) backend.binary('add', factors ? y.value : x.value, spread(shift.value, rows), y.value, false);
  return tape.record(y, () => {
    const dy = y.gradient();
    if (x.tracked && factors) backend.binary('multiply', dy, factors, x.gradient(), true);
    else if (x.tracked) backend.scaled(1, dy, x.gradient(), true);
    if (scale?.tracked) backend.sumRows(dy, x.value, scale.gradient());
    if (shift?.tracked) backend.sumRows(dy, undefined, shift.gradient());
  });
}

/** Each row of x times a factor [rows, 1] that is not trained. */
export function scaleRows(tape: Tape, x: Var, factor: Matrix): Var {
  const { backend } = tape;
  const y = sameShape(tape, x);
  backend.scaleRows(x.value, factor, y.value, false);
  return tape.record(y, () => backend.scaleRows(y.gradient(), factor, x.gradient(), true));
}

/** x times a matrix of factors that are not trained (dropout). */
export function multiplyBy(tape: Tape, x: Var, factors: Matrix): Var {
  return multiply(tape, x, tape.constant(factors));
}

/** Columns `from` … `from + count − 1`. */
export function columns(tape: Tape, x: Var, from: number, count: number): Var {
  return tape.view(x, (m) => colsOf(m, from, count));
}

/** Matrices of equal rows side by side. */
export function joinColumns(tape: Tape, parts: readonly Var[]): Var {
  const { backend } = tape;
  const width = parts.reduce((sum, part) => sum + part.value.cols, 0);
  const y = tape.result(parts[0]!.value.rows, width, ...parts);
  const each = (use: (part: Var, pick: (m: Matrix) => Matrix) => void) => {
    let from = 0;
    for (const part of parts) {
      const at = from;
      use(part, (m) => colsOf(m, at, part.value.cols));
      from += part.value.cols;
    }
  };
  each((part, pick) => backend.scaled(1, part.value, pick(y.value), false));
  return tape.record(y, () => {
    each((part, pick) => {
      if (part.tracked) backend.scaled(1, pick(y.gradient()), part.gradient(), true);
    });
  });
}

/** Matrices of equal sizes below each other: steps, one behind the other. */
export function joinRows(tape: Tape, parts: readonly Var[]): Var {
  const { backend } = tape;
  const { rows, cols } = parts[0]!.value;
  const y = tape.result(parts.length * rows, cols, ...parts);
  const each = (use: (part: Var, pick: (m: Matrix) => Matrix) => void) => {
    parts.forEach((part, i) => {
      use(part, (m) => rowsOf(m, i * rows, rows));
    });
  };
  each((part, pick) => backend.scaled(1, part.value, pick(y.value), false));
  return tape.record(y, () => {
    each((part, pick) => {
      if (part.tracked) backend.scaled(1, pick(y.gradient()), part.gradient(), true);
    });
  });
}

/** Blocks of `batch` rows of x, chosen by number, a list of them beside the other; −1 gives zeros. */
export function pickSteps(tape: Tape, x: Var, batch: number, lists: readonly (readonly number[])[]): Var {
  const { backend } = tape;
  const { cols } = x.value;
  const y = tape.result(lists[0]!.length * batch, lists.length * cols, x);
  const block = (m: Matrix, step: number) => rowsOf(m, step * batch, batch);
  const each = (use: (from: number, to: (m: Matrix) => Matrix) => void) => {
    lists.forEach((picks, k) => {
      picks.forEach((from, t) => {
        use(from, (m) => block(colsOf(m, k * cols, cols), t));
      });
    });
  };
  each((from, to) => {
    if (from < 0) backend.fill(to(y.value), 0);
    else backend.scaled(1, block(x.value, from), to(y.value), false);
  });
  return tape.record(y, () => {
    each((from, to) => {
      if (from >= 0) backend.scaled(1, to(y.gradient()), block(x.gradient(), from), true);
    });
  });
}

/** Rows of x, chosen by number, a list of them beside the other; −1 gives zeros. */
export function pickRows(tape: Tape, x: Var, lists: readonly ArrayLike<number>[]): Var {
  const { backend } = tape;
  const { cols } = x.value;
  const rows = lists[0]!.length;
  const y = tape.result(rows, lists.length * cols, x);
  const ids = backend.alloc(lists.length * rows, 1);
  lists.forEach((picks, k) => {
    backend.write(rowsOf(ids, k * rows, rows), picks);
  });
  const each = (use: (own: Matrix, part: (m: Matrix) => Matrix) => void) => {
    lists.forEach((_, k) => {
      use(rowsOf(ids, k * rows, rows), (m) => colsOf(m, k * cols, cols));
    });
  };
  each((own, part) => backend.gather(x.value, own, part(y.value)));
  return tape.record(y, () => {
    each((own, part) => backend.scatterAdd(part(y.gradient()), own, x.gradient()));
  });
}
