/** One scale (and offset) for the whole tensor, for each gate, or for each row. Vectors count as one row per gate. */
export type Granularity = 'tensor' | 'gate' | 'row';

/** float32 or float16 values, row-major. float16 values are stored rounded and held as their exact float32 value. */
export interface DenseEncoding {
  readonly kind: 'dense';
  readonly type: 'f32' | 'f16';
  readonly values: Float32Array;
}

/**
 * w = scale·q + offset, with signed codes q in −2^(bits−1) … 2^(bits−1)−1 (kept unpacked; packed on disk). `scales`
 * and `offsets` hold one value per group of `rowsPerGroup` consecutive rows. Symmetric encodings have no offsets.
 */
export interface AffineEncoding {
  readonly kind: 'affine';
  readonly bits: number;
  readonly codes: Int8Array | Int16Array;
  readonly scaleType: 'f32' | 'f16';
  readonly rowsPerGroup: number;
  readonly scales: Float32Array;
  readonly offsets?: Float32Array;
}

/**
 * w = scale(row)·level(code). Covers codebooks, logarithmic and power-of-two schemes, ternary and binary. One table
 * of 2^bits levels per group of `rowsPerTable` rows; one scale per group of `rowsPerGroup` rows. Up to 4 bits levels
 * are whole numbers in −127 … 127 so that integer kernels look them up; above, any float32, decoded at load.
 */
export interface LevelsEncoding {
  readonly kind: 'levels';
  /** How the levels were chosen, for reports: it does not change what is computed. */
  readonly scheme: 'log' | 'pow2' | 'codebook' | 'balanced' | 'ternary' | 'binary';
  readonly bits: number;
  readonly codes: Uint8Array | Uint16Array;
  readonly scaleType: 'f32' | 'f16';
  readonly rowsPerGroup: number;
  readonly scales: Float32Array;
  readonly rowsPerTable: number;
  /** [tables, 2^bits], row-major. */
  readonly levels: Float32Array;
}

/** Row ranges in their own encodings, so that gates may differ. Parts follow each other along the rows. */
export interface ConcatEncoding {
  readonly kind: 'concat';
  readonly parts: readonly { readonly rows: number; readonly encoding: SimpleEncoding }[];
}

export type SimpleEncoding = DenseEncoding | AffineEncoding | LevelsEncoding;
export type Encoding = SimpleEncoding | ConcatEncoding;

/**
 * How the operand of a matrix product is coded: float32, or 7 or 14 bits with zero point `zero`. A number as scale is
 * static; `dynamic` takes it from each vector's largest magnitude.
 */
export type OperandCoding =
  | { readonly kind: 'f32' }
  | { readonly kind: 'u7' | 'u14'; readonly zero: number; readonly scale: number | 'dynamic' };

/**
 * Which weights of a matrix stand for themselves and which were removed. Blocks are kept or removed whole and are counted anew in
 * every gate; those at an edge are cut by it. The encoding decodes to exactly 0 where a weight was removed, so that whoever does
 * not care may ignore this: it is what training must not bring back, and what a file need not hold.
 */
export interface Sparsity {
  /** Rows × columns of a block; [1, 1] for single weights. */
  readonly block: readonly [rows: number, columns: number];
  /** Rows of a gate; the rows of a matrix without gates. */
  readonly gateRows: number;
  /** 1 for blocks that are kept, row-major: [gates · ⌈gateRows / rows⌉, ⌈columns of the matrix / columns⌉]. */
  readonly kept: Uint8Array;
  /**
   * The diagonal of each gate's square is kept whatever its block. It stands on its own: products leave it out and add, last, its values
   * times the operand in float32.
   */
  readonly diagonal?: true;
}

/** A named parameter: matrices are [outputs, inputs]. */
export interface Weight {
  readonly shape: readonly number[];
  readonly encoding: Encoding;
  readonly input: OperandCoding;
  readonly sparsity?: Sparsity;
}
