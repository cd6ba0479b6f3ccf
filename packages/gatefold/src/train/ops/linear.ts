import { affine, columns, joinColumns, linear } from '../functions.ts';
import type { Var } from '../tape.ts';
import { placeBeside, upTo } from './lengths.ts';
import type { TrainContext, TrainOp } from './types.ts';

const dense: TrainOp = ({ tape, input, weight }) => {
  const x = input('x');
  return { y: { ...x, v: linear(tape, x.v, weight('kernel')!, { bias: weight('bias') }) } };
};

/** A learned vector for every example. */
const constant: TrainOp = ({ tape, batch, weight }) => {
  const { backend } = tape;
  const value = weight('value')!;
  const y = tape.result(batch, value.value.cols, value);
  backend.scaled(1, { ...value.value, rows: batch, stride: 0 }, y.value, false);
  tape.record(y, () => backend.sumRows(y.gradient(), undefined, value.gradient()));
  return { y: { v: y, steps: 1 } };
};

const embedding: TrainOp = ({ tape, input, weight }) => {
  const { backend } = tape;
  const x = input('x');
  const { v } = x;
  const table = weight('table')!;
  const y = tape.result(v.value.rows, table.value.cols, table);
  backend.gather(table.value, v.value, y.value);
  tape.record(y, () => backend.scatterAdd(y.gradient(), v.value, table.gradient()));
  return { y: { ...x, v: y } };
};

/** Windows over the steps of a sequence. */
export interface Windows {
  readonly size: number;
  /** How many there are over so many steps. */
  readonly count: (length: number) => number;
  /** The step that tap k of window t reads; −1 in the padding around the sequence. */
  readonly tap: (k: number, t: number, length: number) => number;
}

export function windowsOf({ op }: TrainContext): Windows {
  const size = op.whole('size', 1, 1 << 16);
  const stride = op.whole('stride', 1, 1 << 16, 1);
  const dilation = op.whole('dilation', 1, 1 << 16, 1);
  const [left = 0, right = 0] = op.node.attributes.padding === undefined ? [0, 0] : op.wholes('padding');
  return {
    size,
    count(length) {
      const room = length + left + right - ((size - 1) * dilation + 1);
      if (room < 0) op.refuse('INPUT_SHAPE', 'the sequence is shorter than a window', { found: `${length} steps` });
      return Math.floor(room / stride) + 1;
    },
    tap(k, t, length) {
      const at = t * stride + k * dilation - left;
      return at >= 0 && at < length ? at : -1;
    },
  };
}

const conv1d: TrainOp = (context) => {
  const { tape, op, input, weight } = context;
  const x = input('x');
  const { v } = x;
  const { size, count, tap } = windowsOf(context);
  const groups = op.whole('groups', 1, v.value.cols, 1);
  const kernel = weight('kernel')!;
  // Each window's steps beside each other.
  const taps = upTo(size).map((k) => (t: number, length: number) => tap(k, t, length));
  const unfolded = placeBeside(context, x, count, taps);
  const bias = weight('bias');
  if (groups === 1) return { y: { ...unfolded, v: linear(tape, unfolded.v, kernel, { bias }) } };
  const inputs = v.value.cols / groups;
  const outputs = kernel.value.rows / groups;
  const parts = Array.from({ length: groups }, (_, g): Var => {
    const own = joinColumns(
      tape,
      taps.map((_, k) => columns(tape, unfolded.v, k * v.value.cols + g * inputs, inputs)),
    );
    const rows = tape.view(kernel, (m) => ({ ...m, at: m.at + g * outputs * m.stride, rows: outputs }));
    return linear(tape, own, rows);
  });
  const joined = joinColumns(tape, parts);
  return { y: { ...unfolded, v: affine(tape, joined, undefined, bias) } };
};

export const linearOps = { dense, constant, embedding, conv1d };
