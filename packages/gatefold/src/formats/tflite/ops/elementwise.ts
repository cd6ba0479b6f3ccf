import { type Activation, sizeOf } from '@gatefold/runtime';
import { joined, sequenceOf, signalOf } from '../coerce.ts';
import { type Constant, realsOf } from '../constant.ts';
import { type Lift, proper, showDims } from '../lift.ts';
import type { Operation, Signal } from '../lifted.ts';
import { whole } from '../pieces.ts';
import type { Handler } from './types.ts';

const unaryFunctions: Readonly<Record<string, Activation>> = {
  LOGISTIC: ['sigmoid'],
  TANH: ['tanh'],
  RELU: ['relu'],
  RELU6: ['relu', 0, 6],
  RELU_N1_TO_1: ['clip', -1, 1],
  RELU_0_TO_1: ['clip', 0, 1],
  ELU: ['elu'],
  HARD_SWISH: ['hardSwish'],
  EXP: ['exp'],
  LOG: ['log'],
  SQRT: ['sqrt'],
  SQUARE: ['square'],
  ABS: ['abs'],
  NEG: ['negate'],
};

/** The function of an operator that works element by element; undefined for others. */
function unaryFunction({ name, options }: Operation): Activation | undefined {
  if (name === 'LEAKY_RELU') return ['relu', Number(options.alpha)];
  if (name === 'GELU') return [options.approximate ? 'geluTanh' : 'gelu'];
  return Object.hasOwn(unaryFunctions, name) ? unaryFunctions[name] : undefined;
}

const unary: Handler = (lift, operation) => {
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  const value = lift.apply(operation, unaryFunction(operation)!, signal.value);
  lift.set(operation.outputs[0]!, { ...signal, value });
};

/** Rounding between parts of a quantized file is not imitated: values stay real numbers. */
const identity: Handler = (lift, operation) => {
  lift.set(operation.outputs[0]!, lift.input(operation, 0));
};

const functions: Readonly<Record<string, string>> = {
  ADD: 'add',
  SUB: 'subtract',
  MUL: 'multiply',
  DIV: 'divide',
  MAXIMUM: 'maximum',
  MINIMUM: 'minimum',
};

function fold(lift: Lift, operation: Operation, a: Constant, b: Constant): Constant {
  const size = Math.max(a.data.length, b.data.length);
  if (Math.min(a.data.length, b.data.length) !== 1 && a.data.length !== b.data.length)
    lift.refuse(operation, 'combines constants of different shapes');
  const [x, y] = [realsOf(a), realsOf(b)];
  const real = a.type === 'FLOAT32' || a.type === 'FLOAT16' || a.quantization !== undefined;
  const out = Array.from({ length: size }, (_, i) => {
    const [p, q] = [x[x.length === 1 ? 0 : i]!, y[y.length === 1 ? 0 : i]!];
    switch (operation.name) {
      case 'ADD':
        return p + q;
      case 'SUB':
        return p - q;
      case 'MUL':
        return p * q;
      case 'DIV':
        return real ? p / q : Math.trunc(p / q);
      case 'MAXIMUM':
        return Math.max(p, q);
      default:
        return Math.min(p, q);
    }
  });
  const { shape } = a.data.length >= b.data.length ? a : b;
  return lift.fold(a.name, shape, real ? Float32Array.from(out) : Int32Array.from(out), real ? 'FLOAT32' : 'INT32');
}

/** The largest float32: the other end of a bound on one side. */
const largest = 3.4028234663852886e38;

/** value ∘ constant, or with `swapped` constant ∘ value. */
function withConstant(lift: Lift, operation: Operation, given: Signal, constant: Constant, swapped: boolean): Signal {
  const signal = whole(lift, operation, given);
  const { name } = operation;
  const values = realsOf(constant);
  const x = signal.value;
  const unaries: Activation[] = [];
  if (values.length === 1) {
    const [c] = values;
    if (name === 'ADD') unaries.push(['affine', 1, c!]);
    else if (name === 'SUB') unaries.push(swapped ? ['affine', -1, c!] : ['affine', 1, -c!]);
    else if (name === 'MUL') unaries.push(['affine', c!, 0]);
    else if (name === 'DIV' && !swapped) unaries.push(['affine', 1 / c!, 0]);
    else if (name === 'DIV') unaries.push(['reciprocal'], ['affine', c!, 0]);
    else if (name === 'MAXIMUM') unaries.push(['clip', c!, largest]);
    else unaries.push(['clip', -largest, c!]);
    const isOneMinus = name === 'SUB' && swapped && c === 1;
    const chain: Activation[] = isOneMinus ? [['oneMinus']] : unaries;
    return { ...signal, value: chain.reduce((value, activation) => lift.apply(operation, activation, value), x) };
  }
  const width = lift.builder.type(x).shape;
  const last = constant.shape.length - 1;
  const features = signal.shape.length - 1;
  const alongFeatures =
    constant.shape[last] === values.length && signal.time !== features && signal.shape[features] === values.length;
  if (!alongFeatures || width.length !== 1 || width[0] !== values.length) {
    lift.refuse(operation, `combines ${showDims(signal.shape)} with a constant ${showDims(constant.shape)}`);
  }
  if (name === 'MAXIMUM' || name === 'MINIMUM' || (name === 'DIV' && swapped))
    lift.refuse(operation, 'works on a value and a constant vector');
  const base = lift.nodeName(operation);
  const vector = (role: string, map: (value: number) => number) =>
    lift.weight(
      `${base}/${role}`,
      [{ constant: lift.fold(`${base}/${role}`, [values.length], values.map(map), 'FLOAT32') }],
      true,
    );
  const scale = name === 'MUL' ? (v: number) => v : name === 'DIV' ? (v: number) => 1 / v : () => -1;
  const weights: Record<string, string> = {};
  if (name === 'MUL' || name === 'DIV' || swapped) {
    if (name !== 'ADD') weights.scale = vector('scale', scale);
  }
  if (name === 'ADD' || name === 'SUB') {
    weights.shift = vector('shift', (v) => (name === 'SUB' && !swapped ? -v : v));
  }
  return { ...signal, value: lift.node(operation, 'scaleShift', { x }, {}, weights) };
}

/** Two signals of one shape, and a mean and its like that broadcast are refused. */
function together(lift: Lift, operation: Operation, a: Signal, b: Signal): Signal {
  const [x, y] = [whole(lift, operation, a), whole(lift, operation, b)];
  const rank = Math.max(x.shape.length, y.shape.length);
  const padded = (shape: readonly number[]) => [...Array<number>(rank - shape.length).fill(1), ...shape].join();
  const same = padded(x.shape) === padded(y.shape);
  if (!same) {
    lift.refuse(operation, `combines ${showDims(x.shape)} and ${showDims(y.shape)}`, 'tensors must have one shape');
  }
  const [p, q] = [aligned(lift, operation, x, y), aligned(lift, operation, y, x)];
  const inputs = { a: p, b: q };
  const value = lift.node(operation, 'binary', inputs, { function: functions[operation.name]! });
  const shape = x.shape.length >= y.shape.length ? x : y;
  const time = x.time === -1 && y.time !== -1 ? proper(shape.shape)[0]! : shape.time;
  return { kind: 'signal', value, shape: shape.shape, time };
}

/** The value of `signal` in the arrangement of `other`: steps where that has steps, features as that has them. */
function aligned(lift: Lift, operation: Operation, signal: Signal, other: Signal): string {
  const { builder } = lift;
  const timed = builder.isSequence(signal.value);
  const wanted = builder.isSequence(other.value);
  if (timed === wanted && (signal.time === other.time || other.time === -1 || signal.time !== -1)) {
    const [mine, its] = [builder.type(signal.value).shape, builder.type(other.value).shape];
    if (mine.join() === its.join() || mine.length === 1) return signal.value;
    return lift.node(operation, 'reshape', { x: signal.value }, { shape: [sizeOf(mine)], keepTime: true });
  }
  if (timed)
    return builder.steps(signal.value) === 1 ? lift.node(operation, 'last', { x: signal.value }) : signal.value;
  const dims = other.time === -1 ? { steps: 0, features: other.shape.length - 1 } : undefined;
  const steps = dims ? 0 : other.time;
  if (signal.shape[steps] === other.shape[steps] && signal.shape.length === other.shape.length) {
    return sequenceOf(lift, operation, signal, { steps, features: signal.shape.length - 1 });
  }
  return joined(lift, operation, signal);
}

const binary: Handler = (lift, operation) => {
  const a = lift.input(operation, 0);
  const b = lift.input(operation, 1);
  const [output] = operation.outputs;
  if (a.kind === 'constant' && b.kind === 'constant') {
    lift.set(output!, fold(lift, operation, a, b));
    return;
  }
  const made =
    a.kind === 'constant'
      ? withConstant(lift, operation, signalOf(lift, operation, 1), a, true)
      : b.kind === 'constant'
        ? withConstant(lift, operation, signalOf(lift, operation, 0), b, false)
        : together(lift, operation, signalOf(lift, operation, 0), signalOf(lift, operation, 1));
  lift.set(output!, { ...made, value: lift.apply(operation, lift.fused(operation), made.value) });
};

const cast: Handler = (lift, operation) => {
  const from = lift.input(operation, 0);
  const type = lift.graph.tensors[operation.outputs[0]!]!.type;
  const whole = type === 'INT32' || type === 'INT64';
  if (from.kind === 'constant' && whole) {
    lift.set(operation.outputs[0]!, lift.fold(from.name, from.shape, Int32Array.from(from.data), 'INT32'));
  } else lift.set(operation.outputs[0]!, from);
};

export const elementwiseHandlers: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries([...Object.keys(unaryFunctions), 'LEAKY_RELU', 'GELU'].map((name) => [name, unary])),
  ...Object.fromEntries(Object.keys(functions).map((name) => [name, binary])),
  QUANTIZE: identity,
  DEQUANTIZE: identity,
  CAST: cast,
};
