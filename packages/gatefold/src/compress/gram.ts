import { type Matrix, WasmBackend } from '../train/index.ts';

/** Rows that second moments are taken from; more hardly change them. */
const most = 16_384;
/** Rows that are summed in float32 before they are added in float64. */
const chunk = 512;

/** Σ x·xᵀ over the first rows that it is given, [width, width]. */
export class Gram {
  readonly width: number;
  readonly sum: Float64Array<ArrayBuffer>;
  rows = 0;
  private readonly backend = new WasmBackend();
  private readonly x: Matrix;
  private readonly product: Matrix;

  constructor(width: number) {
    this.width = width;
    this.sum = new Float64Array(width * width);
    this.x = this.backend.alloc(chunk, width);
    this.product = this.backend.alloc(width, width);
  }

  get full(): boolean {
    return this.rows >= most;
  }

  /** Row-major rows. */
  add(data: Float32Array): void {
    const { backend, width, sum, product } = this;
    const count = Math.min(data.length / width, most - this.rows);
    for (let from = 0; from < count; from += chunk) {
      const rows = Math.min(chunk, count - from);
      const x = { ...this.x, rows };
      backend.write(x, data.subarray(from * width, (from + rows) * width));
      backend.gemm(x, true, x, false, product, false);
      const part = backend.read(product);
      for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + part[i]!;
    }
    this.rows += Math.max(0, count);
  }
}
