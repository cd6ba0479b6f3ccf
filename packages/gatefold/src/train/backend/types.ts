import type { Activation } from '@gatefold/runtime';

/** A view of a backend's memory: `rows` × `cols` numbers, `stride` apart from row to row; a stride of 0 repeats a row. */
export interface Matrix {
  readonly at: number;
  readonly rows: number;
  readonly cols: number;
  readonly stride: number;
}

/** op(B) [rows, cols] of products, laid out by `pack` for multiplying many matrices. */
export interface Packed {
  readonly at: number;
  readonly rows: number;
  readonly cols: number;
}

export type BinaryFunction = 'add' | 'subtract' | 'multiply' | 'divide' | 'maximum' | 'minimum' | 'atLeast';
export type NormalizationKind = 'layer' | 'rms' | 'unit';
export type ElementLoss = 'squared' | 'absolute' | 'huber' | 'logistic';

/** What weights may be, in units of a scale for `rowsPerGroup` rows: the whole numbers from `low` to `high`, or the levels of a table. */
export interface WeightCodes {
  readonly scales: Matrix;
  readonly rowsPerGroup: number;
  readonly low: number;
  readonly high: number;
  /** [tables, levels], ascending, one row for `rowsPerTable` rows; `low` and `high` then bound what gradients pass. */
  readonly levels?: { readonly table: Matrix; readonly rowsPerTable: number };
}

/** Codes of operands from `lowest` to `highest`; a scale of 0 takes each row's from its largest magnitude, which becomes `limit`. */
export interface OperandCodes {
  readonly lowest: number;
  readonly highest: number;
  readonly limit: number;
  readonly scale: number;
}

/** Sequences and their label sequences for CTC; every matrix has a row per sequence. */
export interface CtcTargets {
  /** [sequences, 1]: steps that count, from the first. */
  readonly steps: Matrix;
  /** [sequences, most], of which the first `counts` [sequences, 1] are labels; no label is the blank. */
  readonly labels: Matrix;
  readonly counts: Matrix;
  /** [sequences, 1] */
  readonly weights: Matrix;
  /** The class that stands for no label. */
  readonly blank: number;
}

export interface AdamStep {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly decay: number;
  /** 1 − β₁ᵗ and 1 − β₂ᵗ. */
  readonly correction1: number;
  readonly correction2: number;
}

export interface SgdStep {
  readonly rate: number;
  readonly momentum: number;
  readonly decay: number;
  readonly nesterov: boolean;
}

/**
 * The arithmetic of training over one linear memory. There are two: float64 in TypeScript, the plain statement that
 * gradients are checked with, and float32 kernels in WebAssembly. Whatever is written against this interface runs on
 * both. Operations ending in a destination with `add` add to what is there.
 */
export interface Backend {
  readonly name: 'float64' | 'simd128' | 'relaxed' | 'counting';
  /** Most numbers that may be allocated at once. */
  readonly limit: number;

  /** Room for a matrix, contents undefined; freed by `release`. @throws MEMORY_LIMIT */
  alloc(rows: number, cols: number): Matrix;
  /** A mark to release to: what is allocated after it is free again. */
  mark(): number;
  release(mark: number): void;
  /** Most numbers that were allocated at once. */
  readonly peak: number;

  write(to: Matrix, values: ArrayLike<number>): void;
  /** A copy, row-major; also put into `to`. */
  read(from: Matrix, to?: Float32Array): Float32Array | Float64Array;

  fill(y: Matrix, value: number): void;
  /** y ← [y +] alpha·x */
  scaled(alpha: number, x: Matrix, y: Matrix, add: boolean): void;
  /** y ← [y +] a ∘ b */
  binary(kind: BinaryFunction, a: Matrix, b: Matrix, y: Matrix, add: boolean): void;
  unary(f: Activation, x: Matrix, y: Matrix): void;
  /** dx ← dx + dy·f'(x), where y = f(x). */
  unaryGradient(f: Activation, x: Matrix, y: Matrix, dy: Matrix, dx: Matrix): void;
  /** sum [1, cols] ← sum + Σ over rows of a [⊙ b] */
  sumRows(a: Matrix, b: Matrix | undefined, sum: Matrix): void;
  /** sum [rows, 1] ← sum + Σ over columns of a ⊙ b */
  sumColumns(a: Matrix, b: Matrix, sum: Matrix): void;
  /** y ← [y +] x, each row times factor [rows, 1] */
  scaleRows(x: Matrix, factor: Matrix, y: Matrix, add: boolean): void;
  sumSquares(x: Matrix): number;

  /** c ← [c +] op(a)·op(b); op transposes where asked. */
  gemm(a: Matrix, transposeA: boolean, b: Matrix, transposeB: boolean, c: Matrix, add: boolean): void;
  /** op(b), laid out once for many products; allocated as by `alloc`. */
  pack(b: Matrix, transpose: boolean): Packed;
  /** c ← [c +] a·op(b) */
  gemmPacked(a: Matrix, b: Packed, c: Matrix, add: boolean): void;

  /** y[r] ← table[ids[r]]; ids are whole numbers within the table, or below zero, which gives zeros. */
  gather(table: Matrix, ids: Matrix, y: Matrix): void;
  /** table[ids[r]] ← table[ids[r]] + y[r], where the id is not below zero. */
  scatterAdd(y: Matrix, ids: Matrix, table: Matrix): void;

  /** y ← normalized rows of x; inverse [rows, 1] is kept for the gradient. */
  normalize(kind: NormalizationKind, epsilon: number, x: Matrix, y: Matrix, inverse: Matrix): void;
  /** dx ← dx + …; y is the result of `normalize`. */
  normalizeGradient(kind: NormalizationKind, epsilon: number, y: Matrix, inverse: Matrix, dy: Matrix, dx: Matrix): void;
  softmax(x: Matrix, y: Matrix): void;
  /** dx ← dx + y⊙(dy − Σ y⊙dy) */
  softmaxGradient(y: Matrix, dy: Matrix, dx: Matrix): void;

  /** The element-wise half of an LSTM's step: z [rows, 4·units] becomes gates, then c and h. */
  lstmForward(z: Matrix, c0: Matrix, c: Matrix, h: Matrix): void;
  /** Gates become ∂L/∂z; dc holds ∂L/∂c before, ∂L/∂c0 after. */
  lstmBackward(z: Matrix, c0: Matrix, c: Matrix, dh: Matrix, dc: Matrix): void;
  /** The element-wise half of a GRU's step (reset after): pre [rows, 3·units] becomes gates, then h; u = U·h0 + bR. */
  gruForward(pre: Matrix, u: Matrix, h0: Matrix, h: Matrix): void;
  /** Gates become ∂L/∂pre, u becomes ∂L/∂u; dh0 is the part of ∂L/∂h0 that does not go through U. */
  gruBackward(pre: Matrix, u: Matrix, h0: Matrix, dh: Matrix, dh0: Matrix): void;

  /** Σ weight·cross-entropy of softmax(x) with classes; dx is the gradient. Rows of weight 0 do not count. */
  crossEntropy(x: Matrix, classes: Matrix, weights: Matrix, smoothing: number, dx: Matrix): number;
  /** Σ weight·Kullback–Leibler divergence of softmax(x) from target distributions; dx is the gradient. */
  divergence(x: Matrix, targets: Matrix, weights: Matrix, dx: Matrix): number;
  /**
   * Σ weight·−log p(labels | softmax(x)) over all alignments (CTC, Graves et al. 2006); x and its gradient dx
   * [steps·sequences, classes], time first. A sequence that is too short for its labels gives infinity.
   */
  ctc(x: Matrix, targets: CtcTargets, dx: Matrix): number;
  /** Σ weight·loss(x, target) over all elements; dx is the gradient. */
  elementLoss(kind: ElementLoss, delta: number, x: Matrix, targets: Matrix, weights: Matrix, dx: Matrix): number;

  /** y ← scale·clamp(round(w/scale)), or scale·(the level nearest to w/scale); dense matrices. */
  fakeQuantize(w: Matrix, codes: WeightCodes, y: Matrix): void;
  /**
   * dw ← dw + dy where w/scale is within `low` and `high`; dt ← dt + Σ dy·∂y/∂t of each group, where scale = constant·exp(t): the
   * learned step size of Esser et al. 2020, in logarithms.
   */
  fakeQuantizeGradient(w: Matrix, codes: WeightCodes, dy: Matrix, dw: Matrix, dt: Matrix): void;
  /** y ← the values of x's codes, row by row. */
  codeRows(x: Matrix, codes: OperandCodes, y: Matrix): void;

  adam(w: Matrix, g: Matrix, m: Matrix, v: Matrix, step: AdamStep): void;
  sgd(w: Matrix, g: Matrix, v: Matrix, step: SgdStep): void;
}

/** Rows `from` … `from + count − 1`. */
export function rowsOf(m: Matrix, from: number, count: number): Matrix {
  return { at: m.at + from * m.stride, rows: count, cols: m.cols, stride: m.stride };
}

/** Columns `from` … `from + count − 1`. */
export function colsOf(m: Matrix, from: number, count: number): Matrix {
  return { at: m.at + from, rows: m.rows, cols: count, stride: m.stride };
}
