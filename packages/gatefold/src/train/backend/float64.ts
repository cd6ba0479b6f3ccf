import type { Activation } from '@gatefold/runtime';
import { ctc64 } from '../ctc.ts';
import { derivative64, elementTerm, functions64, sigmoid } from '../functions64.ts';
import { Arena, OnArena } from './arena.ts';
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

const binaries: Record<BinaryFunction, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
  atLeast: (a, b) => (a >= b ? 1 : 0),
};

/** Half to even. */
const roundEven = (v: number) => v + 6755399441055744 - 6755399441055744;

/** Here packed matrices stand as all others. */
const plain = (packed: Packed): Matrix => ({ ...packed, stride: packed.cols });

/** The backend as it is defined, in float64 and without haste. */
export class Float64Backend extends OnArena implements Backend {
  readonly name = 'float64';
  private memory = new Float64Array(1 << 12);
  readonly limit = 1 << 27;
  protected readonly arena = new Arena(0, this.limit, (numbers) => {
    if (numbers <= this.memory.length) return;
    const grown = new Float64Array(Math.max(numbers, 2 * this.memory.length));
    grown.set(this.memory);
    this.memory = grown;
  });

  /** Sets every element to what `of` makes of its row and column. */
  private each(m: Matrix, of: (row: number, col: number, old: number) => number): void {
    for (let r = 0; r < m.rows; r++) {
      for (let c = 0; c < m.cols; c++) {
        const at = m.at + r * m.stride + c;
        this.memory[at] = of(r, c, this.memory[at]!);
      }
    }
  }

  private get(m: Matrix, row: number, col: number): number {
    return this.memory[m.at + row * m.stride + col]!;
  }

  write(to: Matrix, values: ArrayLike<number>): void {
    this.each(to, (r, c) => values[r * to.cols + c]!);
  }

  read(from: Matrix, to?: Float32Array): Float64Array {
    const out = new Float64Array(from.rows * from.cols);
    for (let i = 0; i < out.length; i++) out[i] = this.get(from, Math.floor(i / from.cols), i % from.cols);
    to?.set(out);
    return out;
  }

  fill(y: Matrix, value: number): void {
    this.each(y, () => value);
  }

  scaled(alpha: number, x: Matrix, y: Matrix, add: boolean): void {
    this.each(y, (r, c, old) => (add ? old : 0) + alpha * this.get(x, r, c));
  }

  binary(kind: BinaryFunction, a: Matrix, b: Matrix, y: Matrix, add: boolean): void {
    const f = binaries[kind];
    this.each(y, (r, c, old) => (add ? old : 0) + f(this.get(a, r, c), this.get(b, r, c)));
  }

  unary([name, ...parameters]: Activation, x: Matrix, y: Matrix): void {
    this.each(y, (r, c) => functions64(name, this.get(x, r, c), parameters));
  }

  unaryGradient([name, ...parameters]: Activation, x: Matrix, _y: Matrix, dy: Matrix, dx: Matrix): void {
    this.each(dx, (r, c, old) => old + this.get(dy, r, c) * derivative64(name, this.get(x, r, c), parameters));
  }

  sumRows(a: Matrix, b: Matrix | undefined, sum: Matrix): void {
    for (let r = 0; r < a.rows; r++) {
      this.each(sum, (_, c, old) => old + this.get(a, r, c) * (b ? this.get(b, r, c) : 1));
    }
  }

  sumColumns(a: Matrix, b: Matrix, sum: Matrix): void {
    for (let k = 0; k < a.cols; k++) this.each(sum, (r, _, old) => old + this.get(a, r, k) * this.get(b, r, k));
  }

  scaleRows(x: Matrix, factor: Matrix, y: Matrix, add: boolean): void {
    this.each(y, (r, c, old) => (add ? old : 0) + this.get(x, r, c) * this.get(factor, r, 0));
  }

  sumSquares(x: Matrix): number {
    return this.read(x).reduce((sum, v) => sum + v * v, 0);
  }

  gemm(a: Matrix, transposeA: boolean, b: Matrix, transposeB: boolean, c: Matrix, add: boolean): void {
    const inner = transposeA ? a.rows : a.cols;
    this.each(c, (i, j, old) => {
      let sum = add ? old : 0;
      for (let k = 0; k < inner; k++) {
        sum +=
          (transposeA ? this.get(a, k, i) : this.get(a, i, k)) * (transposeB ? this.get(b, j, k) : this.get(b, k, j));
      }
      return sum;
    });
  }

  pack(b: Matrix, transpose: boolean): Packed {
    const packed = this.allocPacked(b, transpose);
    this.each(plain(packed), (k, j) => (transpose ? this.get(b, j, k) : this.get(b, k, j)));
    return packed;
  }

  gemmPacked(a: Matrix, b: Packed, c: Matrix, add: boolean): void {
    this.gemm(a, false, plain(b), false, c, add);
  }

  gather(table: Matrix, ids: Matrix, y: Matrix): void {
    this.each(y, (r, c) => (this.get(ids, r, 0) < 0 ? 0 : this.get(table, this.get(ids, r, 0), c)));
  }

  scatterAdd(y: Matrix, ids: Matrix, table: Matrix): void {
    for (let r = 0; r < y.rows; r++) {
      if (this.get(ids, r, 0) < 0) continue;
      const row = { ...table, at: table.at + this.get(ids, r, 0) * table.stride, rows: 1 };
      this.each(row, (_, c, old) => old + this.get(y, r, c));
    }
  }

  normalize(kind: NormalizationKind, epsilon: number, x: Matrix, y: Matrix, inverse: Matrix): void {
    for (let r = 0; r < x.rows; r++) {
      let mean = 0;
      if (kind === 'layer') for (let c = 0; c < x.cols; c++) mean += this.get(x, r, c) / x.cols;
      let sum = 0;
      for (let c = 0; c < x.cols; c++) sum += (this.get(x, r, c) - mean) ** 2;
      const s = 1 / Math.sqrt(kind === 'unit' ? Math.max(sum, epsilon) : sum / x.cols + epsilon);
      this.memory[inverse.at + r * inverse.stride] = s;
      for (let c = 0; c < x.cols; c++) this.memory[y.at + r * y.stride + c] = (this.get(x, r, c) - mean) * s;
    }
  }

  normalizeGradient(
    kind: NormalizationKind,
    epsilon: number,
    y: Matrix,
    inverse: Matrix,
    dy: Matrix,
    dx: Matrix,
  ): void {
    for (let r = 0; r < y.rows; r++) {
      const s = this.get(inverse, r, 0);
      let mean = 0;
      let dot = 0;
      for (let c = 0; c < y.cols; c++) {
        if (kind === 'layer') mean += this.get(dy, r, c) / y.cols;
        dot += this.get(dy, r, c) * this.get(y, r, c);
      }
      if (kind !== 'unit') dot /= y.cols;
      // Where the sum of squares is below epsilon the factor is constant.
      else if (s * s * epsilon >= 0.999999) dot = 0;
      for (let c = 0; c < y.cols; c++) {
        this.memory[dx.at + r * dx.stride + c]! += s * (this.get(dy, r, c) - mean - this.get(y, r, c) * dot);
      }
    }
  }

  softmax(x: Matrix, y: Matrix): void {
    for (let r = 0; r < x.rows; r++) this.softmaxRow(x, y, r);
  }

  /** Returns log Σ exp(x) of the row. */
  private softmaxRow(x: Matrix, y: Matrix, r: number): number {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < x.cols; c++) top = Math.max(top, this.get(x, r, c));
    let sum = 0;
    for (let c = 0; c < x.cols; c++) sum += Math.exp(this.get(x, r, c) - top);
    for (let c = 0; c < x.cols; c++) this.memory[y.at + r * y.stride + c] = Math.exp(this.get(x, r, c) - top) / sum;
    return top + Math.log(sum);
  }

  softmaxGradient(y: Matrix, dy: Matrix, dx: Matrix): void {
    for (let r = 0; r < y.rows; r++) {
      let dot = 0;
      for (let c = 0; c < y.cols; c++) dot += this.get(y, r, c) * this.get(dy, r, c);
      for (let c = 0; c < y.cols; c++) {
        this.memory[dx.at + r * dx.stride + c]! += this.get(y, r, c) * (this.get(dy, r, c) - dot);
      }
    }
  }

  lstmForward(z: Matrix, c0: Matrix, c: Matrix, h: Matrix): void {
    const H = c.cols;
    this.each(z, (_, k, v) => (k < 3 * H ? sigmoid(v) : Math.tanh(v)));
    this.each(c, (r, u) => this.get(z, r, H + u) * this.get(c0, r, u) + this.get(z, r, u) * this.get(z, r, 3 * H + u));
    this.each(h, (r, u) => this.get(z, r, 2 * H + u) * Math.tanh(this.get(c, r, u)));
  }

  lstmBackward(z: Matrix, c0: Matrix, c: Matrix, dh: Matrix, dc: Matrix): void {
    const H = c.cols;
    for (let r = 0; r < z.rows; r++) {
      for (let u = 0; u < H; u++) {
        const [i, f, o, g] = [0, 1, 2, 3].map((gate) => this.get(z, r, gate * H + u)) as [
          number,
          number,
          number,
          number,
        ];
        const shown = Math.tanh(this.get(c, r, u));
        const d = this.get(dh, r, u);
        const whole = this.get(dc, r, u) + d * o * (1 - shown * shown);
        const at = z.at + r * z.stride + u;
        this.memory[at] = whole * g * i * (1 - i);
        this.memory[at + H] = whole * this.get(c0, r, u) * f * (1 - f);
        this.memory[at + 2 * H] = d * shown * o * (1 - o);
        this.memory[at + 3 * H] = whole * i * (1 - g * g);
        this.memory[dc.at + r * dc.stride + u] = whole * f;
      }
    }
  }

  gruForward(pre: Matrix, u: Matrix, h0: Matrix, h: Matrix): void {
    const H = h.cols;
    this.each(pre, (r, k, v) => (k < 2 * H ? sigmoid(v + this.get(u, r, k)) : v));
    this.each(pre, (r, k, v) => (k < 2 * H ? v : Math.tanh(v + this.get(pre, r, k - H) * this.get(u, r, k))));
    this.each(h, (r, k) => {
      const z = this.get(pre, r, k);
      return z * this.get(h0, r, k) + (1 - z) * this.get(pre, r, 2 * H + k);
    });
  }

  gruBackward(pre: Matrix, u: Matrix, h0: Matrix, dh: Matrix, dh0: Matrix): void {
    const H = dh.cols;
    for (let r = 0; r < pre.rows; r++) {
      for (let k = 0; k < H; k++) {
        const [z, reset, n] = [0, 1, 2].map((gate) => this.get(pre, r, gate * H + k)) as [number, number, number];
        const d = this.get(dh, r, k);
        const dn = d * (1 - z) * (1 - n * n);
        const dz = d * (this.get(h0, r, k) - n) * z * (1 - z);
        const dr = dn * this.get(u, r, 2 * H + k) * reset * (1 - reset);
        const at = pre.at + r * pre.stride + k;
        const to = u.at + r * u.stride + k;
        this.memory[at] = dz;
        this.memory[at + H] = dr;
        this.memory[at + 2 * H] = dn;
        this.memory[to] = dz;
        this.memory[to + H] = dr;
        this.memory[to + 2 * H] = dn * reset;
        this.memory[dh0.at + r * dh0.stride + k] = d * z;
      }
    }
  }

  crossEntropy(x: Matrix, classes: Matrix, weights: Matrix, smoothing: number, dx: Matrix): number {
    let loss = 0;
    for (let r = 0; r < x.rows; r++) {
      const weight = this.get(weights, r, 0);
      if (weight === 0) {
        this.fill({ ...dx, at: dx.at + r * dx.stride, rows: 1 }, 0);
        continue;
      }
      const wanted = this.get(classes, r, 0);
      const total = this.softmaxRow(x, dx, r);
      for (let c = 0; c < x.cols; c++) {
        const target = smoothing / x.cols + (c === wanted ? 1 - smoothing : 0);
        loss += weight * target * (total - this.get(x, r, c));
        const at = dx.at + r * dx.stride + c;
        this.memory[at] = weight * (this.memory[at]! - target);
      }
    }
    return loss;
  }

  divergence(x: Matrix, targets: Matrix, weights: Matrix, dx: Matrix): number {
    let loss = 0;
    for (let r = 0; r < x.rows; r++) {
      const weight = this.get(weights, r, 0);
      const total = this.softmaxRow(x, dx, r);
      for (let c = 0; c < x.cols; c++) {
        const target = this.get(targets, r, c);
        if (target > 0) loss += weight * target * (Math.log(target) + total - this.get(x, r, c));
        const at = dx.at + r * dx.stride + c;
        this.memory[at] = weight * (this.memory[at]! - target);
      }
    }
    return loss;
  }

  ctc(x: Matrix, { steps, labels, counts, weights, blank }: CtcTargets, dx: Matrix): number {
    const batch = steps.rows;
    let loss = 0;
    this.fill(dx, 0);
    for (let b = 0; b < batch; b++) {
      const weight = this.get(weights, b, 0);
      const wanted = Array.from({ length: this.get(counts, b, 0) }, (_, i) => this.get(labels, b, i));
      const rows = Array.from({ length: this.get(steps, b, 0) }, (_, t) =>
        Array.from({ length: x.cols }, (_, c) => this.get(x, t * batch + b, c)),
      );
      const { loss: own, gradient } = ctc64(rows, wanted, blank);
      loss += weight * own;
      gradient.forEach((row, t) => {
        this.each({ ...dx, at: dx.at + (t * batch + b) * dx.stride, rows: 1 }, (_, c) => weight * row[c]!);
      });
    }
    return loss;
  }

  elementLoss(kind: ElementLoss, delta: number, x: Matrix, targets: Matrix, weights: Matrix, dx: Matrix): number {
    let loss = 0;
    this.each(dx, (r, c) => {
      const value = this.get(x, r, c);
      const target = this.get(targets, r, c);
      const [term, slope] = elementTerm(kind, delta, value, target);
      loss += this.get(weights, r, 0) * term;
      return this.get(weights, r, 0) * slope;
    });
    return loss;
  }

  /** What stands for v, a weight of row r in units of its scale. */
  private levelOf(v: number, r: number, { low, high, levels }: WeightCodes): number {
    if (!levels) return roundEven(Math.min(Math.max(v, low), high));
    const row = Math.floor(r / levels.rowsPerTable);
    let k = 0;
    const at = (i: number) => this.get(levels.table, row, i);
    while (k + 1 < levels.table.cols && 2 * v > at(k) + at(k + 1)) k++;
    return at(k);
  }

  fakeQuantize(w: Matrix, codes: WeightCodes, y: Matrix): void {
    this.each(y, (r, c) => {
      const scale = this.get(codes.scales, 0, Math.floor(r / codes.rowsPerGroup));
      return scale * this.levelOf(this.get(w, r, c) / scale, r, codes);
    });
  }

  fakeQuantizeGradient(w: Matrix, codes: WeightCodes, dy: Matrix, dw: Matrix, dt: Matrix): void {
    const { scales, rowsPerGroup, low, high } = codes;
    for (let r = 0; r < w.rows; r++) {
      const group = Math.floor(r / rowsPerGroup);
      const scale = this.get(scales, 0, group);
      for (let c = 0; c < w.cols; c++) {
        const v = this.get(w, r, c) / scale;
        const inside = v > low && v < high;
        const level = this.levelOf(v, r, codes);
        const step = inside ? level - v : level;
        this.memory[dt.at + group]! += this.get(dy, r, c) * step * scale;
        if (inside) this.memory[dw.at + r * dw.stride + c]! += this.get(dy, r, c);
      }
    }
  }

  codeRows(x: Matrix, { lowest, highest, limit, scale }: OperandCodes, y: Matrix): void {
    for (let r = 0; r < x.rows; r++) {
      let s = scale;
      if (scale === 0) {
        let m = 0;
        for (let c = 0; c < x.cols; c++) m = Math.max(m, Math.abs(this.get(x, r, c)));
        s = m / limit;
      }
      for (let c = 0; c < x.cols; c++) {
        const v = s === 0 ? 0 : this.get(x, r, c) / s;
        this.memory[y.at + r * y.stride + c] = s * roundEven(Math.min(Math.max(v, lowest), highest));
      }
    }
  }

  adam(w: Matrix, g: Matrix, m: Matrix, v: Matrix, s: AdamStep): void {
    this.each(m, (r, c, old) => s.beta1 * old + (1 - s.beta1) * this.get(g, r, c));
    this.each(v, (r, c, old) => s.beta2 * old + (1 - s.beta2) * this.get(g, r, c) ** 2);
    this.each(w, (r, c, old) => {
      const step = this.get(m, r, c) / s.correction1 / (Math.sqrt(this.get(v, r, c) / s.correction2) + s.epsilon);
      return (1 - s.rate * s.decay) * old - s.rate * step;
    });
  }

  sgd(w: Matrix, g: Matrix, v: Matrix, { rate, momentum, decay, nesterov }: SgdStep): void {
    const d = (r: number, c: number) => this.get(g, r, c) + decay * this.get(w, r, c);
    this.each(v, (r, c, old) => momentum * old + d(r, c));
    this.each(w, (r, c, old) => old - rate * (nesterov ? d(r, c) + momentum * this.get(v, r, c) : this.get(v, r, c)));
  }
}
