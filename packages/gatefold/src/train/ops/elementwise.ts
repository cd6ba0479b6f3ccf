import type { BinaryFunction, Matrix, NormalizationKind } from '../backend/types.ts';
import { add, affine, apply, combine, scaleRows } from '../functions.ts';
import { standardize } from './batch-statistics.ts';
import { commonLengths } from './lengths.ts';
import type { TrainOp } from './types.ts';

const unary: TrainOp = ({ tape, op, input }) => {
  const x = input('x');
  return { y: { ...x, v: apply(tape, op.activation('function'), x.v) } };
};

const binary: TrainOp = (context) => {
  const { tape, op, input } = context;
  const [a, b] = [input('a'), input('b')];
  commonLengths(context, [a, b]);
  const kind = op.node.attributes.function as Exclude<BinaryFunction, 'atLeast'>;
  return { y: { ...a, v: combine(tape, kind, a.v, b.v) } };
};

const scaleShift: TrainOp = (context) => {
  const { tape, op, input, weight, moves } = context;
  const x = input('x');
  if (moves) return { y: standardize(context, x, op.real('epsilon')) };
  return { y: { ...x, v: affine(tape, x.v, weight('scale'), weight('shift')) } };
};

/** max(x, 0) + slope⊙min(x, 0) */
const prelu: TrainOp = ({ tape, input, weight }) => {
  const x = input('x');
  const above = apply(tape, ['relu'], x.v);
  const below = combine(tape, 'subtract', x.v, above);
  return { y: { ...x, v: add(tape, above, affine(tape, below, weight('slope'), undefined)) } };
};

const softmax: TrainOp = ({ tape, input }) => {
  const { backend } = tape;
  const x = input('x');
  const { v } = x;
  const y = tape.result(v.value.rows, v.value.cols, v);
  backend.softmax(v.value, y.value);
  tape.record(y, () => backend.softmaxGradient(y.value, y.gradient(), v.gradient()));
  return { y: { ...x, v: y } };
};

const normalization: TrainOp = ({ tape, op, input, weight }) => {
  const { backend } = tape;
  const x = input('x');
  const { v } = x;
  const kind = op.node.attributes.kind as NormalizationKind;
  const epsilon = op.real('epsilon');
  const y = tape.result(v.value.rows, v.value.cols, v);
  const inverse = backend.alloc(v.value.rows, 1);
  backend.normalize(kind, epsilon, v.value, y.value, inverse);
  tape.record(y, () => backend.normalizeGradient(kind, epsilon, y.value, inverse, y.gradient(), v.gradient()));
  return { y: { ...x, v: affine(tape, y, weight('gamma'), weight('beta')) } };
};

/** A truth of the data, not of the weights. */
const mask: TrainOp = ({ tape, op, input }) => {
  const { backend } = tape;
  const x = input('x');
  const { v } = x;
  const value = Math.fround(op.real('value'));
  const { rows, cols } = v.value;
  const numbers = backend.read(v.value);
  const out: Matrix = backend.alloc(rows, 1);
  backend.write(
    out,
    Array.from({ length: rows }, (_, r) =>
      Number(numbers.subarray(r * cols, (r + 1) * cols).some((number) => number !== value)),
    ),
  );
  return { y: { ...x, v: tape.constant(out) } };
};

const applyMask: TrainOp = ({ tape, input }) => {
  const x = input('x');
  return { y: { ...x, v: scaleRows(tape, x.v, input('mask').v.value) } };
};

export const elementwiseOps = { unary, binary, scaleShift, prelu, softmax, normalization, mask, applyMask };
