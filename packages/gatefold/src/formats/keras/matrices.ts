// Keras' matrices are [inputs, outputs], with the gates side by side; ours are [outputs, inputs], gates stacked.

/** [rows, columns] → [columns, rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c]!;
  }
  return out;
}

/** [rows, gates·units] → [gates·units, rows] with the gates in `order`. */
export function gateRows(values: Float32Array, rows: number, units: number, order: readonly number[]): Float32Array {
  const columns = units * order.length;
  const out = new Float32Array(values.length);
  order.forEach((gate, to) => {
    for (let u = 0; u < units; u++) {
      for (let r = 0; r < rows; r++) out[(to * units + u) * rows + r] = values[r * columns + gate * units + u]!;
    }
  });
  return out;
}

/**
 * A kernel in the layout of cuDNN, which Keras shows as [rows, gates·units]: the numbers of a gate's block, row by row,
 * are that gate's [units, rows].
 */
export function cudnnGateRows(values: Float32Array, rows: number, units: number, order: readonly number[]): Float32Array {
  const columns = units * order.length;
  const out = new Float32Array(values.length);
  order.forEach((gate, to) => {
    const start = to * units * rows;
    for (let r = 0; r < rows; r++) {
      for (let u = 0; u < units; u++) out[start + r * units + u] = values[r * columns + gate * units + u]!;
    }
  });
  return out;
}

/** Gates of a vector, `from` where they start, in `order`. */
export function gateVector(values: Float32Array, from: number, units: number, order: readonly number[]): Float32Array {
  const out = new Float32Array(units * order.length);
  order.forEach((gate, to) => {
    out.set(values.subarray(from + gate * units, from + (gate + 1) * units), to * units);
  });
  return out;
}

/** Convolution kernels [size, inputs, outputs] → [outputs, size·inputs], columns tap by tap. */
export function convolutionRows(values: Float32Array, size: number, inputs: number, outputs: number): Float32Array {
  return transpose(values, size * inputs, outputs);
}

/** Depthwise kernels [size, inputs, multiplier] → [inputs·multiplier, size]. */
export function depthwiseRows(values: Float32Array, size: number, channels: number): Float32Array {
  return transpose(values, size, channels);
}
