/** Vectors that are taken together: each element of the sums is then loaded and stored once for all of them. */
const together = 8;

/**
 * Sums of v·vᵀ over many vectors of one width, in float64; only the upper half is kept until {@link OuterProducts.result}.
 */
export class OuterProducts {
  private readonly n: number;
  private readonly sums: Float64Array;
  private readonly waiting: Float64Array[];
  private count = 0;

  constructor(n: number) {
    this.n = n;
    this.sums = new Float64Array(n * n);
    this.waiting = Array.from({ length: together }, () => new Float64Array(n));
  }

  add(v: ArrayLike<number>): void {
    this.waiting[this.count++]!.set(v);
    if (this.count === together) this.flush();
  }

  private flush(): void {
    const { n, sums, waiting } = this;
    for (let k = this.count; k < together; k++) waiting[k]!.fill(0);
    this.count = 0;
    const [a, b, c, d, e, f, g, h] = waiting as [
      ...[Float64Array, Float64Array, Float64Array, Float64Array],
      ...[Float64Array, Float64Array, Float64Array, Float64Array],
    ];
    for (let i = 0; i < n; i++) {
      const [ai, bi, ci, di] = [a[i]!, b[i]!, c[i]!, d[i]!];
      const [ei, fi, gi, hi] = [e[i]!, f[i]!, g[i]!, h[i]!];
      const row = i * n;
      for (let j = i; j < n; j++) {
        const first = ai * a[j]! + bi * b[j]! + ci * c[j]! + di * d[j]!;
        sums[row + j] = sums[row + j]! + first + (ei * e[j]! + fi * f[j]! + gi * g[j]! + hi * h[j]!);
      }
    }
  }

  /** The sums so far, [n, n], both halves. */
  result(): Float64Array {
    if (this.count > 0) this.flush();
    const { n, sums } = this;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) sums[i * n + j] = sums[j * n + i]!;
    return sums;
  }
}

/** L⁻¹ of a lower triangular L, row by row. */
function invertLower(lower: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = out.subarray(i * n, i * n + i + 1);
    row[i] = 1;
    for (let k = 0; k < i; k++) {
      const factor = lower[i * n + k]!;
      if (factor === 0) continue;
      const above = k * n;
      for (let j = 0; j <= k; j++) row[j] = row[j]! - factor * out[above + j]!;
    }
    const scale = 1 / lower[i * n + i]!;
    for (let j = 0; j <= i; j++) row[j] = row[j]! * scale;
  }
  return out;
}

/** (L·Lᵀ)⁻¹ = L⁻ᵀ·L⁻¹ from the lower Cholesky factor. */
export function inverseFrom(lower: Float64Array, n: number): Float64Array {
  const inverse = invertLower(lower, n);
  const products = new OuterProducts(n);
  for (let i = 0; i < n; i++) products.add(inverse.subarray(i * n, (i + 1) * n));
  return products.result();
}
