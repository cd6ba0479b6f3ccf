import { gateMatrix, gateRows, kerasGates, type PlainArray } from '../../gates.ts';
import { checkShape, type LayerContext, refuseLayer, takeWeight } from '../layer.ts';

interface CellShape {
  readonly cell: 'lstm' | 'gru' | 'rnn';
  readonly units: number;
  readonly features: number;
  readonly resetAfter: boolean;
  readonly useBias: boolean;
}

/**
 * CuDNN stores each gate's input kernel transposed but in the shape of the other layout: the gate's [inputs, units]
 * block, read row by row, is our [units, inputs]. Its recurrent blocks are plainly transposed.
 */
function cudnnMatrix({ shape, data }: PlainArray, order: readonly number[], units: number): PlainArray {
  const rows = shape[0]!;
  const columns = order.length * units;
  const out = new Float32Array(data.length);
  order.forEach((from, gate) => {
    let at = gate * units * rows;
    for (let r = 0; r < rows; r++) for (let u = 0; u < units; u++) out[at++] = data[r * columns + from * units + u]!;
  });
  return { shape: [columns, rows], data: out };
}

/**
 * Reads a cell's weights in Keras' order (kernel, recurrent_kernel, bias) and names them. CuDNN layouts are told by
 * their double bias.
 */
export function cellWeights(
  context: LayerContext,
  { cell, units, features, resetAfter, useBias }: CellShape,
): Record<string, string> {
  const { builder, name, supply } = context;
  const names = {
    W: `${name}/W`,
    U: `${name}/U`,
    ...(useBias ? { b: `${name}/b` } : {}),
    ...(useBias && resetAfter ? { bR: `${name}/bR` } : {}),
  };
  if (Object.hasOwn(builder.weights, names.W)) return names;
  const order = kerasGates[cell];
  const all = order.length * units;
  const kernel = takeWeight(context, [features, all], 'kernel');
  const recurrent = takeWeight(context, [units, all], 'recurrent_kernel');
  // CuDNN's may be double.
  const bias = useBias ? supply.take(resetAfter ? [2, all] : [all], 'bias') : undefined;
  const double = bias?.shape.length === 1 && bias.data.length === 2 * all;
  if (double && cell === 'gru' && !resetAfter)
    refuseLayer(context, 'CuDNN weights in a GRU that resets before the product', 'set reset_after=True');
  const convert = double ? cudnnMatrix : gateMatrix;
  const vector = (data: Float32Array) => gateRows({ shape: [data.length], data }, order, units);
  builder.weight(names.W, () => convert(kernel, order, units));
  builder.weight(names.U, () => convert(recurrent, order, units));
  if (!bias) return names;
  const first = bias.data.subarray(0, all);
  const second = bias.data.subarray(all);
  if (resetAfter) {
    if (!double) checkShape(context, 'bias', bias.shape, [2, all]);
    builder.weight(names.b!, () => vector(first));
    builder.weight(names.bR!, () => vector(second));
  } else {
    if (!double) checkShape(context, 'bias', bias.shape, [all]);
    const sum = double ? first.map((value, i) => value + second[i]!) : first;
    builder.weight(names.b!, () => vector(sum));
  }
  return names;
}
