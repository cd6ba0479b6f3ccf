import type { Activation } from '@gatefold/runtime';
import { functionTable } from '@gatefold/runtime';
import type { Attributes, Writer } from './writer.ts';

/** The function's constants with defaults filled in. */
function constantsOf([name, ...given]: Activation): number[] {
  return functionTable[name].parameters.map((value, i) => given[i] ?? value);
}

type Emit = (writer: Writer, name: string, x: string, constants: readonly number[]) => string;

const op =
  (opType: string, attributes: (constants: readonly number[]) => Attributes = () => ({})): Emit =>
  (writer, name, x, constants) =>
    writer.add(opType, name, [x], attributes(constants));

const alpha = (constants: readonly number[]): Attributes => ({ alpha: { float: constants[0]! } });
const alphaBeta = (constants: readonly number[]): Attributes => ({
  ...alpha(constants),
  beta: { float: constants[1]! },
});

/** x ≥ max: max; x ≥ threshold: x; else slope·(x − threshold). */
const relu: Emit = (writer, name, x, [slope = 0, max = 0, threshold = 0]) => {
  if (threshold === 0 && max === Number.POSITIVE_INFINITY) {
    return slope === 0
      ? writer.add('Relu', name, [x])
      : writer.add('LeakyRelu', name, [x], { alpha: { float: slope } });
  }
  if (threshold === 0) {
    if (slope === 0) return writer.add('Clip', name, [x, writer.number(0), writer.number(max)]);
    const leaky = writer.add('LeakyRelu', `${name}/leaky`, [x], { alpha: { float: slope } });
    return writer.add('Min', name, [leaky, writer.number(max)]);
  }
  if (slope === 0 && max === Number.POSITIVE_INFINITY) {
    return writer.add('ThresholdedRelu', name, [x], { alpha: { float: threshold } });
  }
  const low = writer.add('Mul', `${name}/low`, [
    writer.add('Sub', `${name}/below`, [x, writer.number(threshold)]),
    writer.number(slope),
  ]);
  const above = writer.add('GreaterOrEqual', `${name}/above`, [x, writer.number(threshold)]);
  const open = writer.add('Where', `${name}/open`, [above, x, low]);
  return max === Number.POSITIVE_INFINITY ? open : writer.add('Min', name, [open, writer.number(max)]);
};

/** x times a function of x. */
const times =
  (inner: Emit): Emit =>
  (writer, name, x, constants) =>
    writer.add('Mul', name, [x, inner(writer, `${name}/gate`, x, constants)]);

const affine: Emit = (writer, name, x, [a = 1, b = 0]) => {
  const scaled = a === 1 ? x : writer.add('Mul', `${name}/scaled`, [x, writer.number(a)]);
  return b === 0 && scaled !== x ? scaled : writer.add('Add', name, [scaled, writer.number(b)]);
};

/** ½·x·(1 + f(inner)). */
const gaussian =
  (make: Emit): Emit =>
  (writer, name, x, constants) => {
    const one = writer.add('Add', `${name}/one`, [make(writer, `${name}/inner`, x, constants), writer.number(1)]);
    return writer.add('Mul', name, [writer.add('Mul', `${name}/half`, [x, writer.number(0.5)]), one]);
  };

const functions: Readonly<Record<Activation[0], Emit>> = {
  linear: op('Identity'),
  tanh: op('Tanh'),
  sigmoid: op('Sigmoid'),
  hardSigmoid: op('HardSigmoid', alphaBeta),
  relu,
  elu: op('Elu', alpha),
  selu: op('Selu', ([a, b]) => ({ alpha: { float: a! }, gamma: { float: b! } })),
  softplus: op('Softplus'),
  softsign: op('Softsign'),
  exp: op('Exp'),
  log: op('Log'),
  swish: times(op('Sigmoid')),
  gelu: gaussian((writer, name, x) =>
    writer.add('Erf', name, [writer.add('Mul', `${name}/root`, [x, writer.number(Math.SQRT1_2)])]),
  ),
  geluTanh: gaussian((writer, name, x) => {
    const square = writer.add('Mul', `${name}/square`, [x, x]);
    const cube = writer.add('Mul', `${name}/cube`, [
      writer.add('Mul', `${name}/third`, [square, x]),
      writer.number(0.044715),
    ]);
    const sum = writer.add('Add', `${name}/sum`, [x, cube]);
    return writer.add('Tanh', name, [writer.add('Mul', `${name}/root`, [sum, writer.number(Math.sqrt(2 / Math.PI))])]);
  }),
  mish: times((writer, name, x) => writer.add('Tanh', name, [writer.add('Softplus', `${name}/plus`, [x])])),
  hardSwish: times(op('HardSigmoid', alphaBeta)),
  abs: op('Abs'),
  negate: op('Neg'),
  square: (writer, name, x) => writer.add('Mul', name, [x, x]),
  sqrt: op('Sqrt'),
  reciprocal: op('Reciprocal'),
  oneMinus: (writer, name, x) => writer.add('Sub', name, [writer.number(1), x]),
  clip: (writer, name, x, [low = -1, high = 1]) =>
    writer.add('Clip', name, [x, writer.number(low), writer.number(high)]),
  affine,
  celu: op('Celu', alpha),
  erf: op('Erf'),
};

/** Adds a function of x; returns its tensor. */
export function emitFunction(writer: Writer, name: string, activation: Activation, x: string): string {
  return functions[activation[0]](writer, name, x, constantsOf(activation));
}

/** What a cell of ONNX calls a function, with its alpha and beta; undefined for what it has no word for. */
export function cellFunction(activation: Activation): { name: string; alpha?: number; beta?: number } | undefined {
  const [a = 0, b = 0, c = 0] = constantsOf(activation);
  switch (activation[0]) {
    case 'tanh':
      return { name: 'Tanh' };
    case 'sigmoid':
      return { name: 'Sigmoid' };
    case 'softsign':
      return { name: 'Softsign' };
    case 'softplus':
      return { name: 'Softplus' };
    case 'linear':
      return { name: 'Affine', alpha: 1, beta: 0 };
    case 'affine':
      return { name: 'Affine', alpha: a, beta: b };
    case 'hardSigmoid':
      return { name: 'HardSigmoid', alpha: a, beta: b };
    case 'elu':
      return { name: 'Elu', alpha: a };
    case 'relu':
      if (b !== Number.POSITIVE_INFINITY) return undefined;
      if (c !== 0) return a === 0 ? { name: 'ThresholdedRelu', alpha: c } : undefined;
      return a === 0 ? { name: 'Relu' } : { name: 'LeakyRelu', alpha: a };
    default:
      return undefined;
  }
}
