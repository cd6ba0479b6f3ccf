import type { Activation, FunctionName } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import {
  type Constant,
  dimsOf,
  type Fill,
  isUnknown,
  sameDim,
  type Tensor,
  uniform,
  type Value,
} from '../graph/tensor.ts';
import { applyFunction, combine, scaleOrShift } from './elementwise.ts';
import type { Handler } from './types.ts';

/** float32's range: what stands for an absent bound. */
const largest = 3.4028234663852886e38;

/** Whether a known tensor has no axis beyond the value's, so that it acts as a number. */
function isNumber(x: Value, other: Constant | Fill): boolean {
  const dims = dimsOf(other);
  return dims.every((dim, i) => {
    const axis = x.axes[i - dims.length + x.axes.length];
    return (
      dim === 1 || (axis !== undefined && (sameDim(axis.size, dim) || (isUnknown(dim) && axis.role !== 'feature')))
    );
  });
}

/** A value with a known tensor beside it; `swapped` where that comes first. */
function withKnown(call: Call, x: Value, other: Constant | Fill, swapped: boolean): Value {
  const open = other.kind === 'constant' && other.open;
  const number = isNumber(x, other) && !open ? uniform(other) : undefined;
  if (number === undefined && (other.kind === 'fill' || open)) {
    return call.refuse('repeats a constant along a length that the file leaves open');
  }
  // A fill is one number, so that what is not is a constant.
  const known = other as Constant;
  const f = (activation: Activation) => applyFunction(call, x, activation);
  switch (call.op) {
    case 'Add':
      return number === 0 ? x : number === undefined ? scaleOrShift(call, x, 'shift', known) : f(['affine', 1, number]);
    case 'Sub':
      if (!swapped) {
        if (number === 0) return x;
        return number === undefined ? scaleOrShift(call, x, 'shift', known, 'negated') : f(['affine', 1, -number]);
      }
      if (number === 1) return f(['oneMinus']);
      return number === undefined ? scaleOrShift(call, f(['negate']), 'shift', known) : f(['affine', -1, number]);
    case 'Mul':
      return number === 1 ? x : number === undefined ? scaleOrShift(call, x, 'scale', known) : f(['affine', number, 0]);
    case 'Div':
      if (!swapped) {
        if (number === 1) return x;
        return number === undefined ? scaleOrShift(call, x, 'scale', known, 'inverse') : f(['affine', 1 / number, 0]);
      }
      if (number === 1) return f(['reciprocal']);
      return number === undefined
        ? scaleOrShift(call, f(['reciprocal']), 'scale', known)
        : applyFunction(call, f(['reciprocal']), ['affine', number, 0], '/scale');
    case 'Pow': {
      if (swapped || number === undefined) return call.refuse('takes a power that is no constant number');
      if (number === 1) return x;
      if (number === 2) return f(['square']);
      if (number === 0.5) return f(['sqrt']);
      if (number === -1) return f(['reciprocal']);
      if (number === -0.5) return applyFunction(call, f(['sqrt']), ['reciprocal'], '/reciprocal');
      if (number === 3) return combine(call, 'multiply', f(['square']), x, '/times');
      return call.refuse('takes a power without meaning here', {
        expected: '−1, −½, ½, 1, 2 or 3',
        found: String(number),
      });
    }
    default: {
      if (number === undefined) return call.refuse('compares with a constant that differs along the features');
      return f(call.op === 'Max' ? ['clip', number, largest] : ['clip', -largest, number]);
    }
  }
}

const binaries: Readonly<Record<string, Parameters<typeof combine>[1]>> = {
  Add: 'add',
  Sub: 'subtract',
  Mul: 'multiply',
  Div: 'divide',
  Max: 'maximum',
  Min: 'minimum',
};

function two(call: Call, a: Tensor, b: Tensor): Tensor {
  if (a.kind === 'value' && b.kind === 'value') {
    const name = Object.hasOwn(binaries, call.op) ? binaries[call.op] : undefined;
    if (call.op === 'Mul' && a.name === b.name && a.offset === b.offset && a.axes === b.axes)
      return applyFunction(call, a, ['square']);
    return name ? combine(call, name, a, b) : call.refuse('takes a power that is no constant');
  }
  if (a.kind === 'value') return withKnown(call, a, b as Constant | Fill, false);
  if (b.kind === 'value') return withKnown(call, b, a, true);
  return call.refuse('works on tensors of a length that the file leaves open');
}

const arithmetic: Handler = {
  attributes: [],
  run: (call) => {
    if (call.inputs.length === 0) call.refuse('needs inputs');
    return [call.inputs.map((_, i) => call.input(i)).reduce((a, b) => two(call, a, b))];
  },
};

function unary(make: (call: Call) => Activation, attributes: readonly string[] = []): Handler {
  return { attributes, run: (call) => [applyFunction(call, call.value(0), make(call))] };
}

const plain = (name: FunctionName): Handler => unary(() => [name]);

/** A bound of Clip: an attribute (to opset 10), an input (from 11 on), or none. */
function bound(call: Call, attribute: string, input: number, none: number): number {
  const tensor = call.inputs[input];
  const given = tensor ? Number(call.numbers(tensor, attribute)[0]) : call.float(attribute, none);
  return Math.min(Math.max(given, -largest), largest);
}

const clip: Handler = {
  attributes: ['min', 'max'],
  run(call) {
    const low = bound(call, 'min', 1, -largest);
    const high = bound(call, 'max', 2, largest);
    return [applyFunction(call, call.value(0), low === 0 && high < largest ? ['relu', 0, high] : ['clip', low, high])];
  },
};

const prelu: Handler = {
  attributes: [],
  run(call) {
    const slope = call.constant(1, 'slope');
    const number = uniform(slope);
    const x = call.value(0);
    if (number !== undefined && slope.shape.every((n) => n === 1)) {
      return [applyFunction(call, x, ['relu', number, Number.POSITIVE_INFINITY, 0])];
    }
    return [scaleOrShift(call, x, 'slope', slope)];
  },
};

export const arithmeticHandlers: Readonly<Record<string, Handler>> = {
  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  Div: arithmetic,
  Pow: arithmetic,
  Max: arithmetic,
  Min: arithmetic,
  Relu: plain('relu'),
  Sigmoid: plain('sigmoid'),
  Tanh: plain('tanh'),
  Softplus: plain('softplus'),
  Softsign: plain('softsign'),
  Exp: plain('exp'),
  Log: plain('log'),
  Sqrt: plain('sqrt'),
  Abs: plain('abs'),
  Neg: plain('negate'),
  Reciprocal: plain('reciprocal'),
  Erf: plain('erf'),
  Mish: plain('mish'),
  LeakyRelu: unary((call) => ['relu', call.float('alpha', 0.01), Number.POSITIVE_INFINITY, 0], ['alpha']),
  ThresholdedRelu: unary((call) => ['relu', 0, Number.POSITIVE_INFINITY, call.float('alpha', 1)], ['alpha']),
  Elu: unary((call) => ['elu', call.float('alpha', 1)], ['alpha']),
  Celu: unary((call) => ['celu', call.float('alpha', 1)], ['alpha']),
  Selu: unary(
    (call) => ['selu', call.float('alpha', 1.6732632423543772), call.float('gamma', 1.0507009873554805)],
    ['alpha', 'gamma'],
  ),
  HardSigmoid: unary((call) => ['hardSigmoid', call.float('alpha', 0.2), call.float('beta', 0.5)], ['alpha', 'beta']),
  HardSwish: unary(() => ['hardSwish', 1 / 6, 0.5]),
  Gelu: unary((call) => (call.text('approximate', 'none') === 'tanh' ? ['geluTanh'] : ['gelu']), ['approximate']),
  Clip: clip,
  PRelu: prelu,
};
