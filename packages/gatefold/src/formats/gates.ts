/** An array as a file holds it, row-major. */
export interface PlainArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * A file's [inputs, gates·units] as our [gates·units, inputs]. `order` lists the file's position of each of our gates.
 */
export function gateMatrix({ shape, data }: PlainArray, order: readonly number[], units: number): PlainArray {
  const inputs = shape[0]!;
  const columns = order.length * units;
  const out = new Float32Array(data.length);
  order.forEach((from, gate) => {
    for (let u = 0; u < units; u++) {
      for (let i = 0; i < inputs; i++) out[(gate * units + u) * inputs + i] = data[i * columns + from * units + u]!;
    }
  });
  return { shape: [columns, inputs], data: out };
}

/** Rows of gates, of a vector or of a [gates·units, inputs] matrix, in our order. */
export function gateRows({ shape, data }: PlainArray, order: readonly number[], units: number): PlainArray {
  const size = (data.length / shape[0]!) * units;
  const out = new Float32Array(data.length);
  for (const [gate, from] of order.entries()) out.set(data.subarray(from * size, (from + 1) * size), gate * size);
  return { shape, data: out };
}

/** Keras' position of each of our gates: Keras orders an LSTM's input, forget, candidate, output. */
export const kerasGates = { lstm: [0, 1, 3, 2], gru: [0, 1, 2], rnn: [0] } as const;

/** PyTorch's: input, forget, candidate, output; reset, update, candidate. */
export const torchGates = { lstm: [0, 1, 3, 2], gru: [1, 0, 2], rnn: [0] } as const;
