import type { BinaryFunction, Matrix, NormalizationKind } from '../backend/types.ts';
import { add, addRow, apply, combine, scaleColumns, scaleRows } from '../functions.ts';
import type { Tape, Var } from '../tape.ts';
import type { TrainOp } from './types.ts';

const unary: TrainOp = ({ tape, op, input }) => {
  const { v, steps } = input('x');
  return { y: { v: apply(tape, op.activation('function'), v), steps } };
};

const binary: TrainOp = ({ tape, op, input }) => {
  const a = input('a');
  const kind = op.node.attributes.function as Exclude<BinaryFunction, 'atLeast'>;
  return { y: { v: combine(tape, kind, a.v, input('b').v), steps: a.steps } };
};

const scaleShift: TrainOp = ({ tape, input, weight }) => {
  const { v, steps } = input('x');
  return { y: { v: affine(tape, v, weight('scale'), weight('shift')), steps } };
};

function affine(tape: Tape, v: Var, scale: Var | undefined, shift: Var | undefined): Var {
  const scaled = scale ? scaleColumns(tape, v, scale) : v;
  return shift ? addRow(tape, scaled, shift) : scaled;
}

/** max(x, 0) + slope⊙min(x, 0) */
const prelu: TrainOp = ({ tape, input, weight }) => {
  const { v, steps } = input('x');
  const above = apply(tape, ['relu'], v);
  const below = combine(tape, 'subtract', v, above);
  return { y: { v: add(tape, above, scaleColumns(tape, below, weight('slope')!)), steps } };
};

const softmax: TrainOp = ({ tape, input }) => {
  const { backend } = tape;
  const { v, steps } = input('x');
  const y = tape.result(v.value.rows, v.value.cols, v);
  backend.softmax(v.value, y.value);
  tape.record(y, () => backend.softmaxGradient(y.value, y.gradient(), v.gradient()));
  return { y: { v: y, steps } };
};

const normalization: TrainOp = ({ tape, op, input, weight }) => {
  const { backend } = tape;
  const { v, steps } = input('x');
  const kind = op.node.attributes.kind as NormalizationKind;
  const epsilon = op.real('epsilon');
  const y = tape.result(v.value.rows, v.value.cols, v);
  const inverse = backend.alloc(v.value.rows, 1);
  backend.normalize(kind, epsilon, v.value, y.value, inverse);
  tape.record(y, () => backend.normalizeGradient(kind, epsilon, y.value, inverse, y.gradient(), v.gradient()));
  return { y: { v: affine(tape, y, weight('gamma'), weight('beta')), steps } };
};

/** A truth of the data, not of the weights. */
const mask: TrainOp = ({ tape, op, input }) => {
  const { backend } = tape;
  const { v, steps } = input('x');
  const value = Math.fround(op.real('value'));
  const { rows, cols } = v.value;
  const numbers = backend.read(v.value);
  const out: Matrix = backend.alloc(rows, 1);
  backend.write(
    out,
    Array.from({ length: rows }, (_, r) => Number(numbers.subarray(r * cols, (r + 1) * cols).some((x) => x !== value))),
  );
  return { y: { v: tape.constant(out), steps } };
};

const applyMask: TrainOp = ({ tape, input }) => {
  const { v, steps } = input('x');
  return { y: { v: scaleRows(tape, v, input('mask').v.value), steps } };
};

export const elementwiseOps = { unary, binary, scaleShift, prelu, softmax, normalization, mask, applyMask };
