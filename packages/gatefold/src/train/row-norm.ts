import type { Backend, Matrix } from './backend/types.ts';

/** Keeps rows of zeros finite. */
const epsilon = 1e-20;

/**
 * Weight normalization (Salimans & Kingma 2016) of rows that are trained as few levels: w = gain·v/rms(v). The steps of the codes have the
 * same gain, so that it is the direction of v alone that decides between levels, and the gain that says how large they are; in a file
 * both are the scale. Without it one number is both: it cannot grow with the levels without moving the bounds between them.
 */
export class RowNorm {
  /** Where gradients of the normalized rows are gathered. */
  readonly gradient: Matrix;
  private readonly backend: Backend;
  private readonly size: Matrix;
  private readonly unit: Matrix;
  private readonly inverse: Matrix;
  private readonly gain: Matrix;
  private readonly sums: Matrix;
  private readonly value: Matrix;

  constructor(backend: Backend, first: Matrix) {
    const { rows, cols } = first;
    const like = () => backend.alloc(rows, cols);
    this.backend = backend;
    this.size = backend.alloc(rows, 1);
    this.inverse = backend.alloc(rows, 1);
    this.gain = backend.alloc(rows, 1);
    this.sums = backend.alloc(rows, 1);
    [this.unit, this.value, this.gradient] = [like(), like(), like()];
    backend.normalize('rms', epsilon, first, this.unit, this.inverse);
    backend.fill(this.size, 0);
    // Σ v·(v/rms) over a row is rms times its columns.
    backend.sumColumns(first, this.unit, this.size);
    backend.scaled(1 / cols, this.size, this.size, false);
  }

  /** The rows of v with their first sizes, times gains [rows, 1]. */
  apply(v: Matrix, gains: Float32Array): Matrix {
    const { backend, unit, inverse, size, gain, value } = this;
    backend.normalize('rms', epsilon, v, unit, inverse);
    backend.write(gain, gains);
    backend.binary('multiply', gain, size, gain, false);
    backend.scaleRows(unit, gain, value, false);
    backend.fill(this.gradient, 0);
    return value;
  }

  /** dv ← dv + what `gradient` says of the v that was applied last; returns the gradient of the logarithms of the gains. */
  back(dv: Matrix): ArrayLike<number> {
    const { backend, unit, inverse, gain, value, gradient, sums } = this;
    backend.fill(sums, 0);
    backend.sumColumns(gradient, value, sums);
    backend.scaleRows(gradient, gain, gradient, false);
    backend.normalizeGradient('rms', epsilon, unit, inverse, gradient, dv);
    return backend.read(sums);
  }
}
