import { sizeOf } from '@gatefold/runtime';
import { type Matrix, rowsOf } from '../backend/types.ts';
import { add, columns, combine, joinColumns, pickSteps, scaleRows } from '../functions.ts';
import type { Tape, Var } from '../tape.ts';
import { windowsOf } from './linear.ts';
import type { TrainContext, TrainOp, Value } from './types.ts';

/** Whole numbers from 0. */
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

const last: TrainOp = ({ tape, batch, input }) => {
  const { v, steps } = input('x');
  return { y: { v: pickSteps(tape, v, batch, [steps - 1]), steps: 1 } };
};

const reverse: TrainOp = ({ tape, batch, input }) => {
  const { v, steps } = input('x');
  return { y: { v: pickSteps(tape, v, batch, upTo(steps).reverse()), steps } };
};

const pad: TrainOp = ({ tape, op, batch, input }) => {
  const { v, steps } = input('x');
  const left = op.whole('left', -(1 << 20), 1 << 20, 0);
  const count = steps + left + op.whole('right', -(1 << 20), 1 << 20, 0);
  if (count < 1) op.refuse('INPUT_SHAPE', 'nothing is left of the sequence', { found: `${steps} steps` });
  const picks = upTo(count).map((t) => (t - left >= 0 && t - left < steps ? t - left : -1));
  return { y: { v: pickSteps(tape, v, batch, picks), steps: count } };
};

const repeat: TrainOp = ({ tape, op, batch, input }) => {
  const { v, steps } = input('x');
  const times = op.whole('times', 1, 1 << 20);
  const picks = upTo(steps * times).map((t) => Math.floor(t / times));
  return { y: { v: pickSteps(tape, v, batch, picks), steps: picks.length } };
};

/** A column [steps·batch, 1] with one number per step. */
function perStep(tape: Tape, batch: number, numbers: readonly number[]): Matrix {
  const column = tape.backend.alloc(numbers.length * batch, 1);
  numbers.forEach((value, t) => {
    tape.backend.fill(rowsOf(column, t * batch, batch), value);
  });
  return column;
}

const pool: TrainOp = (context) => {
  const { tape, op, batch, input } = context;
  const { v } = input('x');
  const { steps, taps } = windowsOf(context);
  if (op.node.attributes.function === 'max') {
    // A tap in the padding repeats one that is not: the maximum stays.
    const inside = upTo(steps).map((t) => taps.find((tap) => tap[t]! >= 0)![t]!);
    const parts = taps.map((tap) =>
      pickSteps(
        tape,
        v,
        batch,
        tap.map((at, t) => (at < 0 ? inside[t]! : at)),
      ),
    );
    return { y: { v: parts.reduce((a, b) => combine(tape, 'maximum', a, b)), steps } };
  }
  const sum = taps.map((tap) => pickSteps(tape, v, batch, tap)).reduce((a, b) => add(tape, a, b));
  const counts = upTo(steps).map((t) => 1 / taps.filter((tap) => tap[t]! >= 0).length);
  return { y: { v: scaleRows(tape, sum, perStep(tape, batch, counts)), steps } };
};

const reduceTime: TrainOp = (context) => {
  const { tape, op, batch, input, optional } = context;
  const { backend } = tape;
  const { v, steps } = input('x');
  const mask = optional('mask')?.v.value;
  const kind = op.node.attributes.function;
  const step = (of: Var, t: number) => tape.view(of, (m) => rowsOf(m, t * batch, batch));
  if (kind === 'max') {
    if (mask) op.refuse('MODEL_UNSUPPORTED', 'a masked maximum over time cannot be trained');
    return {
      y: {
        v: upTo(steps)
          .map((t) => step(v, t))
          .reduce((a, b) => combine(tape, 'maximum', a, b)),
        steps: 1,
      },
    };
  }
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

const concat: TrainOp = ({ tape, optional }) => {
  const parts: Value[] = [];
  for (let part = optional('0'); part; part = optional(String(parts.length))) parts.push(part);
  const v = joinColumns(
    tape,
    parts.map((part) => part.v),
  );
  return { y: { v, steps: parts[0]!.steps } };
};

const slice: TrainOp = ({ tape, op, input }) => {
  const { v, steps } = input('x');
  const from = Number(op.node.attributes.from ?? 0);
  const to = Number(op.node.attributes.to ?? v.value.cols);
  return { y: { v: columns(tape, v, from, to - from), steps } };
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

export const sequenceOps = { last, reverse, pad, repeat, pool, reduceTime, concat, slice, reshape, transpose };
