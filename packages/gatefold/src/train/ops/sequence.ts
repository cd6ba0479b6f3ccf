import { sizeOf } from '@gatefold/runtime';
import { colsOf, type Matrix, rowsOf } from '../backend/types.ts';
import { add, columns, combine, joinColumns, scaleRows } from '../functions.ts';
import type { Var } from '../tape.ts';
import { commonLengths, countedSteps, perStep, place, turned, upTo } from './lengths.ts';
import { windowsOf } from './linear.ts';
import type { TrainContext, TrainOp, Value } from './types.ts';

const last: TrainOp = (context) => {
  const { v } = place(context, context.input('x'), { count: () => 1, pick: (_, length) => length - 1 });
  return { y: { v, steps: 1 } };
};

const reverse: TrainOp = (context) => ({ y: place(context, context.input('x'), turned) });

const pad: TrainOp = (context) => {
  const { op, input } = context;
  const left = op.whole('left', -(1 << 20), 1 << 20, 0);
  const right = op.whole('right', -(1 << 20), 1 << 20, 0);
  const count = (length: number) => {
    if (length + left + right < 1) {
      op.refuse('INPUT_SHAPE', 'nothing is left of the sequence', { found: `${length} steps` });
    }
    return length + left + right;
  };
  const pick = (t: number, length: number) => (t - left >= 0 && t - left < length ? t - left : -1);
  return { y: place(context, input('x'), { count, pick }) };
};

const repeat: TrainOp = (context) => {
  const times = context.op.whole('times', 1, 1 << 20);
  const count = (length: number) => length * times;
  return { y: place(context, context.input('x'), { count, pick: (t) => Math.floor(t / times) }) };
};

const pool: TrainOp = (context) => {
  const { tape, op, input } = context;
  const x = input('x');
  const { size, count, tap } = windowsOf(context);
  const taps = upTo(size);
  const inside = (t: number, length: number) => taps.map((k) => tap(k, t, length)).filter((at) => at >= 0);
  if (op.node.attributes.function === 'max') {
    // A tap in the padding repeats one that is not: the maximum stays.
    const pick = (k: number) => (t: number, length: number) => {
      const at = tap(k, t, length);
      return at < 0 ? inside(t, length)[0]! : at;
    };
    const parts = taps.map((k) => place(context, x, { count, pick: pick(k) }));
    return { y: { ...parts[0]!, v: parts.map(({ v }) => v).reduce((a, b) => combine(tape, 'maximum', a, b)) } };
  }
  const parts = taps.map((k) => place(context, x, { count, pick: (t, length) => tap(k, t, length) }));
  const [{ steps, lengths }] = parts as [Value];
  const shares = perStep(context, steps, lengths, (t, outputs, b) => {
    return 1 / inside(Math.min(t, outputs - 1), x.lengths?.[b] ?? x.steps).length;
  });
  const sum = parts.map(({ v }) => v).reduce((a, b) => add(tape, a, b));
  return { y: { ...parts[0]!, v: scaleRows(tape, sum, shares) } };
};

const reduceTime: TrainOp = (context) => {
  const { tape, op, batch, input, optional } = context;
  const { backend } = tape;
  const x = input('x');
  const { v, steps } = x;
  const kind = op.node.attributes.function;
  const step = (of: Var, t: number) => tape.view(of, (m) => rowsOf(m, t * batch, batch));
  if (kind === 'max') {
    if (optional('mask')) op.refuse('MODEL_UNSUPPORTED', 'a masked maximum over time cannot be trained');
    // Padding repeats the last step: the maximum stays, and its gradient goes there.
    const own = x.lengths ? place(context, x, { count: (length) => length, pick: (t) => t }).v : v;
    const most = upTo(steps)
      .map((t) => step(own, t))
      .reduce((a, b) => combine(tape, 'maximum', a, b));
    return { y: { v: most, steps: 1 } };
  }
  const mask = countedSteps(context, x, optional('mask')?.v.value);
  const kept = mask ? scaleRows(tape, v, mask) : v;
  const sum = tape.result(batch, v.value.cols, kept);
  backend.fill(sum.value, 0);
  for (const t of upTo(steps)) backend.scaled(1, step(kept, t).value, sum.value, true);
  tape.record(sum, () => {
    for (const t of upTo(steps)) backend.scaled(1, sum.gradient(), step(kept, t).gradient(), true);
  });
  if (kind === 'sum') return { y: { v: sum, steps: 1 } };
  const counts = backend.alloc(batch, 1);
  backend.fill(counts, mask ? 0 : steps);
  if (mask) for (const t of upTo(steps)) backend.scaled(1, rowsOf(mask, t * batch, batch), counts, true);
  backend.unary(['reciprocal'], counts, counts);
  return { y: { v: scaleRows(tape, sum, counts), steps: 1 } };
};

const concat: TrainOp = (context) => {
  const { tape, optional } = context;
  const parts: Value[] = [];
  for (let part = optional('0'); part; part = optional(String(parts.length))) parts.push(part);
  const v = joinColumns(
    tape,
    parts.map((part) => part.v),
  );
  return { y: { v, steps: parts[0]!.steps, ...commonLengths(context, parts) } };
};

const slice: TrainOp = ({ tape, op, input }) => {
  const x = input('x');
  const from = Number(op.node.attributes.from ?? 0);
  const to = Number(op.node.attributes.to ?? x.v.value.cols);
  return { y: { ...x, v: columns(tape, x.v, from, to - from) } };
};

/** Features picked along strides, in runs of neighbours. */
const view: TrainOp = ({ tape, op, input }) => {
  const { backend } = tape;
  const x = input('x');
  const [sizes, strides] = [op.wholes('sizes'), op.wholes('strides')];
  let picks = [op.whole('offset', 0, x.v.value.cols - 1, 0)];
  sizes.forEach((size, k) => {
    picks = picks.flatMap((at) => upTo(size).map((i) => at + i * strides[k]!));
  });
  const y = tape.result(x.v.value.rows, picks.length, x.v);
  const each = (use: (from: (m: Matrix) => Matrix, to: (m: Matrix) => Matrix) => void) => {
    for (let at = 0; at < picks.length; ) {
      let count = 1;
      while (picks[at + count] === picks[at]! + count) count++;
      const [from, to, width] = [picks[at]!, at, count];
      use(
        (m) => colsOf(m, from, width),
        (m) => colsOf(m, to, width),
      );
      at += count;
    }
  };
  each((from, to) => backend.scaled(1, from(x.v.value), to(y.value), false));
  tape.record(y, () => each((from, to) => backend.scaled(1, to(y.gradient()), from(x.v.gradient()), true)));
  return { y: { ...x, v: y } };
};

const reduceFeatures: TrainOp = ({ tape, op, input }) => {
  const { backend } = tape;
  const x = input('x');
  const { rows, cols } = x.v.value;
  const size = op.whole('size', 1, cols, cols);
  const width = cols / size;
  const runs = upTo(size).map((i) => columns(tape, x.v, i * width, width));
  if (op.node.attributes.function === 'max') {
    return { y: { ...x, v: runs.reduce((a, b) => combine(tape, 'maximum', a, b)) } };
  }
  const y = tape.result(rows, width, x.v);
  runs.forEach((run, i) => {
    backend.scaled(1 / size, run.value, y.value, i > 0);
  });
  tape.record(y, () => {
    for (const run of runs) backend.scaled(1 / size, y.gradient(), run.gradient(), true);
  });
  return { y: { ...x, v: y } };
};

/** [steps·batch, width] → [batch, steps·width], what a row-major reshape starts from. */
function joinSteps({ tape, batch }: TrainContext, { v, steps }: Value): Var {
  if (steps === 1) return v;
  return joinColumns(
    tape,
    upTo(steps).map((t) => tape.view(v, (m) => rowsOf(m, t * batch, batch))),
  );
}

/** [batch, steps·width] → [steps·batch, width] */
function splitSteps({ tape, batch }: TrainContext, v: Var, steps: number): Value {
  const { backend } = tape;
  const width = v.value.cols / steps;
  const y = tape.result(steps * batch, width, v);
  for (const t of upTo(steps)) {
    backend.scaled(1, columns(tape, v, t * width, width).value, rowsOf(y.value, t * batch, batch), false);
  }
  tape.record(y, () => {
    for (const t of upTo(steps)) {
      backend.scaled(1, rowsOf(y.gradient(), t * batch, batch), columns(tape, v, t * width, width).gradient(), true);
    }
  });
  return { v: y, steps };
}

const reshape: TrainOp = (context) => {
  const { op, input } = context;
  const x = input('x');
  const shape = op.wholes('shape');
  if (op.flag('keepTime')) return { y: x };
  if (x.lengths)
    op.refuse('INPUT_SHAPE', 'sequences of different lengths cannot be joined', { found: x.lengths.join(', ') });
  const whole = joinSteps(context, x);
  if (sizeOf(shape) !== whole.value.cols) {
    op.refuse('INPUT_SHAPE', 'the sequence has another length than its reshape', { found: `${x.steps} steps` });
  }
  return { y: op.flag('time') ? splitSteps(context, whole, shape[0]!) : { v: whole, steps: 1 } };
};

const transpose: TrainOp = (context) => {
  const { tape, batch, input } = context;
  const { backend } = tape;
  const { v, steps } = input('x');
  const width = v.value.cols;
  const y = tape.result(width * batch, steps, v);
  const each = (use: (from: (m: Matrix) => Matrix, to: (m: Matrix) => Matrix) => void) => {
    for (const t of upTo(steps)) {
      for (const f of upTo(width)) {
        const cell = (m: Matrix, step: number, column: number): Matrix => ({
          ...rowsOf(m, step * batch, batch),
          at: m.at + step * batch * m.stride + column,
          cols: 1,
        });
        use(
          (m) => cell(m, t, f),
          (m) => cell(m, f, t),
        );
      }
    }
  };
  each((from, to) => backend.scaled(1, from(v.value), to(y.value), false));
  tape.record(y, () => each((from, to) => backend.scaled(1, to(y.gradient()), from(v.gradient()), true)));
  return { y: { v: y, steps: width } };
};

export const sequenceOps = {
  ...{ last, reverse, pad, repeat, pool, reduceTime, concat, slice, view, reduceFeatures, reshape, transpose },
};
