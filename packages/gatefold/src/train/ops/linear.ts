import { addRow, columns, joinColumns, linear, pickSteps } from '../functions.ts';
import type { Var } from '../tape.ts';
import type { TrainContext, TrainOp } from './types.ts';

const dense: TrainOp = ({ tape, input, weight }) => {
  const { v, steps } = input('x');
  return { y: { v: linear(tape, v, weight('kernel')!, { bias: weight('bias') }), steps } };
};

const embedding: TrainOp = ({ tape, input, weight }) => {
  const { backend } = tape;
  const { v, steps } = input('x');
  const table = weight('table')!;
  const y = tape.result(v.value.rows, table.value.cols, table);
  backend.gather(table.value, v.value, y.value);
  tape.record(y, () => backend.scatterAdd(y.gradient(), v.value, table.gradient()));
  return { y: { v: y, steps } };
};

export interface Windows {
  readonly size: number;
  readonly steps: number;
  /** For each tap, the step it reads at each window; −1 in the padding. */
  readonly taps: readonly (readonly number[])[];
}

export function windowsOf({ op, input }: TrainContext): Windows {
  const { steps } = input('x');
  const size = op.whole('size', 1, 1 << 16);
  const stride = op.whole('stride', 1, 1 << 16, 1);
  const dilation = op.whole('dilation', 1, 1 << 16, 1);
  const [left = 0, right = 0] = op.node.attributes.padding === undefined ? [0, 0] : op.wholes('padding');
  const room = steps + left + right - ((size - 1) * dilation + 1);
  if (room < 0) op.refuse('INPUT_SHAPE', 'the sequence is shorter than a window', { found: `${steps} steps` });
  const count = Math.floor(room / stride) + 1;
  const taps = Array.from({ length: size }, (_, k) =>
    Array.from({ length: count }, (_, t) => {
      const at = t * stride + k * dilation - left;
      return at >= 0 && at < steps ? at : -1;
    }),
  );
  return { size, steps: count, taps };
}

const conv1d: TrainOp = (context) => {
  const { tape, op, batch, input, weight } = context;
  const { v } = input('x');
  const { steps, taps } = windowsOf(context);
  const groups = op.whole('groups', 1, v.value.cols, 1);
  const kernel = weight('kernel')!;
  const picked = taps.map((picks) => pickSteps(tape, v, batch, picks));
  const bias = weight('bias');
  if (groups === 1) {
    const unfolded = picked.length === 1 ? picked[0]! : joinColumns(tape, picked);
    return { y: { v: linear(tape, unfolded, kernel, { bias }), steps } };
  }
  const inputs = v.value.cols / groups;
  const outputs = kernel.value.rows / groups;
  const parts = Array.from({ length: groups }, (_, g): Var => {
    const unfolded = joinColumns(
      tape,
      picked.map((tap) => columns(tape, tap, g * inputs, inputs)),
    );
    const rows = tape.view(kernel, (m) => ({ ...m, at: m.at + g * outputs * m.stride, rows: outputs }));
    return linear(tape, unfolded, rows);
  });
  const joined = joinColumns(tape, parts);
  return { y: { v: bias ? addRow(tape, joined, bias) : joined, steps } };
};

export const linearOps = { dense, embedding, conv1d };
