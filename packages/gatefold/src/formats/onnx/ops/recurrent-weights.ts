import { type Call, floatsOf, matrixWeight } from '../graph/call.ts';
import { type Constant, showTensor } from '../graph/tensor.ts';

export type CellName = 'lstm' | 'gru' | 'rnn';

/** For each of Gatefold's gates, its place among the file's: W, R and B hold i o f c, z r h; P holds i o f. */
export const gateOrder: Readonly<Record<CellName, readonly number[]>> = {
  lstm: [0, 2, 1, 3],
  gru: [0, 1, 2],
  rnn: [0],
};

export interface CellShape {
  readonly cell: CellName;
  readonly units: number;
  readonly directions: number;
  /** LSTM whose forget gate is 1 − input gate. */
  readonly coupled: boolean;
  readonly resetAfter: boolean;
}

function checked(call: Call, i: number, what: string, shape: readonly (number | undefined)[]): Constant {
  const tensor = call.constant(i, what);
  const fits = tensor.shape.length === shape.length && shape.every((n, k) => n === undefined || n === tensor.shape[k]);
  if (!fits) {
    call.fail('MODEL_SHAPE', `its ${what} does not fit`, {
      expected: `[${shape.map((n) => n ?? 'any').join(', ')}]`,
      found: showTensor(tensor),
    });
  }
  return tensor;
}

/**
 * Blocks of `size` floats in Gatefold's order of gates. Where the file couples forget = 1 − input, ours couples input =
 * 1 − forget: as 1 − σ(x) = σ(−x), the forget gate's rows are the input gate's, negated.
 */
export function reorder(
  data: Float32Array,
  from: number,
  size: number,
  order: readonly number[],
  coupled: boolean,
): Float32Array {
  const gates = coupled ? order.slice(1) : order;
  const out = new Float32Array(gates.length * size);
  gates.forEach((gate, k) => {
    const negate = coupled && k === 0;
    const at = from + (negate ? 0 : gate) * size;
    for (let i = 0; i < size; i++) out[k * size + i] = negate ? -data[at + i]! : data[at + i]!;
  });
  return out;
}

/** The weights of one direction as Gatefold's, by role. */
export function cellWeights(
  call: Call,
  { cell, units, directions, coupled, resetAfter }: CellShape,
  d: number,
): Record<string, string> {
  const order = gateOrder[cell];
  const rows = order.length * units;
  const kept = coupled ? rows - units : rows;
  const w = checked(call, 1, 'W', [directions, rows, undefined]);
  const r = checked(call, 2, 'R', [directions, rows, units]);
  const side = directions === 1 ? '' : d === 0 ? 'forward/' : 'backward/';
  const key = `${cell} ${coupled} ${resetAfter} ${d}`;
  const matrix = (source: Constant, role: string) => {
    const columns = source.shape[2]!;
    return matrixWeight(call, source, `${side}${role}`, key, [kept, columns], (data) =>
      reorder(data, d * rows * columns, units * columns, order, coupled),
    );
  };
  const weights: Record<string, string> = { W: matrix(w, 'W'), U: matrix(r, 'U') };
  if (call.inputs[3]) {
    const b = checked(call, 3, 'B', [directions, 2 * rows]);
    const input = reorder(floatsOf(call, b, 'B'), d * 2 * rows, units, order, coupled);
    const state = reorder(floatsOf(call, b, 'B'), d * 2 * rows + rows, units, order, coupled);
    weights.b = call.weight(b, `${side}b`, key, [kept], () =>
      resetAfter ? input : input.map((n, i) => n + state[i]!),
    );
    if (resetAfter) weights.bR = call.weight(b, `${side}bR`, key, [kept], () => state);
  }
  if (cell === 'lstm' && call.inputs[7]) {
    const p = checked(call, 7, 'P', [directions, 3 * units]);
    weights.P = call.weight(p, `${side}P`, key, [coupled ? 2 * units : 3 * units], () =>
      reorder(floatsOf(call, p, 'P'), d * 3 * units, units, order.slice(0, 3), coupled),
    );
  }
  return weights;
}
