import { type Activation, fail, functionNames, functionTable } from '@gatefold/runtime';
import { Arena, OnArena } from './arena.ts';
import { type Build, bestBuild, moduleOf } from './builds.ts';
import { ctcWorkspace } from './counting.ts';
import type {
  AdamStep,
  Backend,
  BinaryFunction,
  CtcTargets,
  ElementLoss,
  Matrix,
  NormalizationKind,
  OperandCodes,
  Packed,
  SgdStep,
  WeightCodes,
} from './types.ts';

// In the order of the enumerations in assembly/.
const binaryNumbers: readonly BinaryFunction[] = [
  'add',
  'subtract',
  'multiply',
  'divide',
  'maximum',
  'minimum',
  'atLeast',
];
const normalizations: readonly NormalizationKind[] = ['layer', 'rms', 'unit'];
const losses: readonly ElementLoss[] = ['squared', 'absolute', 'huber', 'logistic'];

const PAGE = 65536;
/** Bytes that stay zero: the kernels' constants are mixed with them when the module starts. */
const RESERVED = 64;

type Kernel = (...values: number[]) => number;

/** float32, by the kernels of packages/gatefold/assembly. */
export class WasmBackend extends OnArena implements Backend {
  readonly name: Build;
  readonly limit: number;
  private readonly memory: WebAssembly.Memory;
  private readonly call: Readonly<Record<string, Kernel>>;
  protected readonly arena: Arena;
  private readonly scratch: number;
  private floats: Float32Array;

  /** `limit` is in bytes, at most 4 GiB. @throws MEMORY_LIMIT */
  constructor(limit = 2 ** 31, build = bestBuild()) {
    super();
    this.name = build;
    this.limit = limit / 4;
    this.memory = new WebAssembly.Memory({ initial: 16 });
    const { exports } = new WebAssembly.Instance(moduleOf(build), { env: { memory: this.memory } });
    this.call = exports as unknown as Record<string, Kernel>;
    this.floats = new Float32Array(this.memory.buffer);
    this.arena = new Arena(RESERVED / 4, this.limit, (numbers) => this.reserve(numbers));
    const size = (exports.scratchFloats as WebAssembly.Global).value as number;
    this.scratch = 4 * this.arena.alloc(1, size).at;
  }

  private reserve(numbers: number): void {
    // Vectors at the very end are read whole.
    const missing = 4 * numbers + 64 - this.memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      // In steps, so that growing stays rare.
      this.memory.grow(Math.ceil(Math.max(missing, this.memory.buffer.byteLength / 4) / PAGE));
    } catch {
      fail('MEMORY_LIMIT', 'the memory for training cannot be allocated', { found: `${4 * numbers} bytes` });
    }
    this.floats = new Float32Array(this.memory.buffer);
  }

  write(to: Matrix, values: ArrayLike<number>): void {
    if (to.stride === to.cols) {
      this.floats.set(values, to.at);
      return;
    }
    for (let r = 0; r < to.rows; r++) {
      for (let c = 0; c < to.cols; c++) this.floats[to.at + r * to.stride + c] = values[r * to.cols + c]!;
    }
  }

  read(from: Matrix, to = new Float32Array(from.rows * from.cols)): Float32Array {
    if (from.stride === from.cols) {
      to.set(this.floats.subarray(from.at, from.at + from.rows * from.cols));
      return to;
    }
    for (let r = 0; r < from.rows; r++) {
      const at = from.at + r * from.stride;
      to.set(this.floats.subarray(at, at + from.cols), r * from.cols);
    }
    return to;
  }

  fill(y: Matrix, value: number): void {
    this.call.fill!(y.rows, y.cols, ...of(y), value);
  }

  scaled(alpha: number, x: Matrix, y: Matrix, add: boolean): void {
    this.call.scaled!(y.rows, y.cols, alpha, ...of(x), ...of(y), Number(add));
  }

  binary(kind: BinaryFunction, a: Matrix, b: Matrix, y: Matrix, add: boolean): void {
    this.call.binary!(binaryNumbers.indexOf(kind), y.rows, y.cols, ...of(a), ...of(b), ...of(y), Number(add));
  }

  unary(f: Activation, x: Matrix, y: Matrix): void {
    this.call.unary!(...functionOf(f), y.rows, y.cols, ...of(x), ...of(y));
  }

  unaryGradient(f: Activation, x: Matrix, y: Matrix, dy: Matrix, dx: Matrix): void {
    this.call.unaryGradient!(...functionOf(f), y.rows, y.cols, ...of(x), ...of(y), ...of(dy), ...of(dx));
  }

  sumRows(a: Matrix, b: Matrix | undefined, sum: Matrix): void {
    this.call.sumRows!(a.rows, a.cols, ...of(a), ...(b ? of(b) : [0, 0]), 4 * sum.at);
  }

  sumColumns(a: Matrix, b: Matrix, sum: Matrix): void {
    this.call.sumColumns!(a.rows, a.cols, ...of(a), ...of(b), ...of(sum));
  }

  scaleRows(x: Matrix, factor: Matrix, y: Matrix, add: boolean): void {
    this.call.scaleRows!(x.rows, x.cols, ...of(x), ...of(factor), ...of(y), Number(add));
  }

  sumSquares(x: Matrix): number {
    return this.call.sumSquares!(x.rows, x.cols, ...of(x));
  }

  gemm(a: Matrix, transposeA: boolean, b: Matrix, transposeB: boolean, c: Matrix, add: boolean): void {
    const inner = transposeA ? a.rows : a.cols;
    const [left, right] = [op(a, transposeA), op(b, transposeB)];
    this.call.gemm!(c.rows, c.cols, inner, ...left, ...right, ...of(c), Number(add), this.scratch);
  }

  pack(b: Matrix, transpose: boolean): Packed {
    const packed = this.allocPacked(b, transpose);
    this.call.pack!(packed.cols, packed.rows, ...op(b, transpose), 4 * packed.at);
    return packed;
  }

  gemmPacked(a: Matrix, b: Packed, c: Matrix, add: boolean): void {
    this.call.gemmPacked!(c.rows, c.cols, b.rows, ...of(a), 4 * b.at, ...of(c), Number(add), this.scratch);
  }

  gather(table: Matrix, ids: Matrix, y: Matrix): void {
    this.call.gather!(y.rows, y.cols, ...of(table), 4 * ids.at, ...of(y));
  }

  scatterAdd(y: Matrix, ids: Matrix, table: Matrix): void {
    this.call.scatterAdd!(y.rows, y.cols, ...of(y), 4 * ids.at, ...of(table));
  }

  normalize(kind: NormalizationKind, epsilon: number, x: Matrix, y: Matrix, inverse: Matrix): void {
    const number = normalizations.indexOf(kind);
    this.call.normalize!(number, epsilon, x.rows, x.cols, ...of(x), ...of(y), 4 * inverse.at);
  }

  normalizeGradient(
    kind: NormalizationKind,
    epsilon: number,
    y: Matrix,
    inverse: Matrix,
    dy: Matrix,
    dx: Matrix,
  ): void {
    const number = normalizations.indexOf(kind);
    this.call.normalizeGradient!(number, epsilon, y.rows, y.cols, ...of(y), 4 * inverse.at, ...of(dy), ...of(dx));
  }

  softmax(x: Matrix, y: Matrix): void {
    this.call.softmax!(x.rows, x.cols, ...of(x), ...of(y));
  }

  softmaxGradient(y: Matrix, dy: Matrix, dx: Matrix): void {
    this.call.softmaxGradient!(y.rows, y.cols, ...of(y), ...of(dy), ...of(dx));
  }

  lstmForward(z: Matrix, c0: Matrix, c: Matrix, h: Matrix): void {
    this.call.lstmForward!(z.rows, c.cols, 4 * z.at, 4 * c0.at, 4 * c.at, 4 * h.at);
  }

  lstmBackward(z: Matrix, c0: Matrix, c: Matrix, dh: Matrix, dc: Matrix): void {
    this.call.lstmBackward!(z.rows, c.cols, 4 * z.at, 4 * c0.at, 4 * c.at, 4 * dh.at, 4 * dc.at);
  }

  gruForward(pre: Matrix, u: Matrix, h0: Matrix, h: Matrix): void {
    this.call.gruForward!(pre.rows, h.cols, 4 * pre.at, 4 * u.at, 4 * h0.at, 4 * h.at);
  }

  gruBackward(pre: Matrix, u: Matrix, h0: Matrix, dh: Matrix, dh0: Matrix): void {
    this.call.gruBackward!(pre.rows, dh.cols, 4 * pre.at, 4 * u.at, 4 * h0.at, 4 * dh.at, 4 * dh0.at);
  }

  crossEntropy(x: Matrix, classes: Matrix, weights: Matrix, smoothing: number, dx: Matrix): number {
    return this.call.crossEntropy!(x.rows, x.cols, ...of(x), 4 * classes.at, 4 * weights.at, smoothing, ...of(dx));
  }

  divergence(x: Matrix, targets: Matrix, weights: Matrix, dx: Matrix): number {
    return this.call.divergence!(x.rows, x.cols, ...of(x), ...of(targets), 4 * weights.at, ...of(dx));
  }

  ctc(x: Matrix, targets: CtcTargets, dx: Matrix): number {
    const { steps, labels, counts, weights, blank } = targets;
    const mark = this.mark();
    const longest = x.rows / steps.rows;
    const work = this.alloc(1, ctcWorkspace(x, targets));
    const at = [steps, counts, weights].map((m) => 4 * m.at);
    const loss = this.call.ctc!(
      steps.rows,
      longest,
      x.cols,
      ...of(x),
      ...at,
      ...of(labels),
      blank,
      ...of(dx),
      4 * work.at,
    );
    this.release(mark);
    return loss;
  }

  elementLoss(kind: ElementLoss, delta: number, x: Matrix, targets: Matrix, weights: Matrix, dx: Matrix): number {
    const number = losses.indexOf(kind);
    return this.call.elementLoss!(number, delta, x.rows, x.cols, ...of(x), ...of(targets), 4 * weights.at, ...of(dx));
  }

  fakeQuantize(w: Matrix, codes: WeightCodes, y: Matrix): void {
    this.call.fakeQuantize!(w.rows, w.cols, 4 * w.at, ...numbersOf(codes), 4 * y.at);
  }

  fakeQuantizeGradient(w: Matrix, codes: WeightCodes, dy: Matrix, dw: Matrix, dt: Matrix): void {
    const at = [dy, dw, dt].map((m) => 4 * m.at);
    this.call.fakeQuantizeGradient!(w.rows, w.cols, 4 * w.at, ...numbersOf(codes), ...at);
  }

  codeRows(x: Matrix, { lowest, highest, limit, scale }: OperandCodes, y: Matrix): void {
    this.call.codeRows!(x.rows, x.cols, ...of(x), ...of(y), lowest, highest, limit, scale);
  }

  adam(w: Matrix, g: Matrix, m: Matrix, v: Matrix, s: AdamStep): void {
    const numbers = [s.rate, s.beta1, s.beta2, s.epsilon, s.decay, s.correction1, s.correction2];
    this.call.adam!(w.rows * w.cols, 4 * w.at, 4 * g.at, 4 * m.at, 4 * v.at, ...numbers);
  }

  sgd(w: Matrix, g: Matrix, v: Matrix, { rate, momentum, decay, nesterov }: SgdStep): void {
    this.call.sgd!(w.rows * w.cols, 4 * w.at, 4 * g.at, 4 * v.at, rate, momentum, decay, Number(nesterov));
  }
}

/** Address and step from row to row, in bytes. */
function of(m: Matrix): [number, number] {
  return [4 * m.at, 4 * m.stride];
}

/** Address, and steps from row to row and from column to column of the matrix or its transpose, in bytes. */
function op(m: Matrix, transpose: boolean): [number, number, number] {
  return transpose ? [4 * m.at, 4, 4 * m.stride] : [4 * m.at, 4 * m.stride, 4];
}

function numbersOf({ scales, rowsPerGroup, low, high, levels }: WeightCodes): number[] {
  const table = levels ? [4 * levels.table.at, levels.table.cols, levels.rowsPerTable] : [0, 0, 1];
  return [4 * scales.at, rowsPerGroup, low, high, ...table];
}

/** Number and three constants. */
function functionOf([name, ...given]: Activation): number[] {
  const constants: number[] = functionTable[name].parameters.map((value, i) => given[i] ?? value);
  return [functionNames.indexOf(name), ...[0, 1, 2].map((i) => constants[i] ?? 0)];
}
