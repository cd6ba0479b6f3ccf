import type { Activation, AttributeValue } from '@gatefold/runtime';
import { activationAttribute } from '../../graph-builder.ts';
import { type Call, floatsOf } from '../graph/call.ts';
import {
  type Axis,
  constant,
  dimsOf,
  feature,
  isFeature,
  isUnknown,
  numbersOf,
  plainFeatures,
  showTensor,
  type Tensor,
  uniform,
  type Value,
} from '../graph/tensor.ts';
import { unfoldTime } from '../graph/time.ts';
import { rowOf } from '../graph/views.ts';
import { type CellName, type CellShape, cellWeights } from './recurrent-weights.ts';
import type { Handler } from './types.ts';

const infinity = Number.POSITIVE_INFINITY;

/** ONNX' functions inside cells; alpha and beta as given, or its defaults. */
const functions: Readonly<Record<string, (alpha?: number, beta?: number) => Activation>> = {
  relu: () => ['relu'],
  tanh: () => ['tanh'],
  sigmoid: () => ['sigmoid'],
  affine: (alpha = 1, beta = 0) => ['affine', alpha, beta],
  leakyrelu: (alpha = 0.01) => ['relu', alpha, infinity, 0],
  thresholdedrelu: (alpha = 1) => ['relu', 0, infinity, alpha],
  hardsigmoid: (alpha = 0.2, beta = 0.5) => ['hardSigmoid', alpha, beta],
  elu: (alpha = 1) => ['elu', alpha],
  softsign: () => ['softsign'],
  softplus: () => ['softplus'],
};
const withAlpha = ['affine', 'leakyrelu', 'thresholdedrelu', 'scaledtanh', 'hardsigmoid', 'elu'];
const withBeta = ['affine', 'scaledtanh', 'hardsigmoid'];

const defaults: Readonly<Record<CellName, readonly string[]>> = {
  lstm: ['Sigmoid', 'Tanh', 'Tanh'],
  gru: ['Sigmoid', 'Tanh'],
  rnn: ['Tanh'],
};

/** The functions of each direction: gates first, then candidate (and output) as one. */
function activationsOf(call: Call, cell: CellName, directions: number): { gate?: Activation; candidate: Activation }[] {
  const each = defaults[cell];
  const names = call.texts('activations') ?? Array.from({ length: directions }, () => each).flat();
  if (names.length !== each.length * directions) {
    call.fail('MODEL_SHAPE', 'activations do not fit its directions', {
      expected: String(each.length * directions),
      found: names.join(', '),
    });
  }
  // alpha and beta are queues: each function that takes one takes the next.
  const alphas = [...(call.floats('activation_alpha') ?? [])];
  const betas = [...(call.floats('activation_beta') ?? [])];
  const made = names.map((given) => {
    const name = given.toLowerCase();
    const make = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (!make)
      call.refuse(`its activation "${given.slice(0, 40)}" has no meaning here`, {
        expected: Object.keys(functions).join(', '),
      });
    return make(
      withAlpha.includes(name) ? alphas.shift() : undefined,
      withBeta.includes(name) ? betas.shift() : undefined,
    );
  });
  return Array.from({ length: directions }, (_, d) => {
    const [first, second, third] = made.slice(d * each.length, (d + 1) * each.length);
    if (cell === 'rnn') return { candidate: first! };
    if (cell === 'lstm' && JSON.stringify(second) !== JSON.stringify(third)) {
      call.refuse('has another function for its cell than for its output', { found: names.join(', ') });
    }
    return { gate: first!, candidate: second! };
  });
}

/** X as [batch, time, features]: time and batch may stand either way (layout), or be fixed to one and hidden. */
function sequenceOf(call: Call, x: Value, layout: number): { x: Value; time: Axis; batch: Axis } {
  if (x.axes.length !== 3) call.fail('MODEL_SHAPE', 'its X has not three dimensions', { found: showTensor(x) });
  const [t, b] = layout === 1 ? [1, 0] : [0, 1];
  const batch = x.axes[b]!;
  if (batch.role !== 'batch' && !(isFeature(batch) && batch.size === 1)) {
    call.refuse('reads no batch where it should', {
      found: showTensor(x),
      hint: 'batch and time may be named otherwise than they are used',
    });
  }
  if (!isFeature(x.axes[2]!)) call.refuse('reads no features', { found: showTensor(x) });
  const time = x.axes[t]!;
  if (call.reading.lifted) {
    if (!isFeature(time) || time.size !== 1)
      call.refuse('runs over several steps in each call of a model with states', { found: showTensor(x) });
    return { x: rowOf(call, x), time, batch };
  }
  if (time.role === 'time') return { x: rowOf(call, x), time, batch };
  if (!isFeature(time)) return call.refuse('reads no time where it should', { found: showTensor(x) });
  const unfolded = unfoldTime(call, x, t);
  return { x: rowOf(call, unfolded), time: unfolded.axes[t]!, batch };
}

/** Refuses sequence lengths that differ from the sequence's. */
function checkLengths(call: Call, time: Axis): void {
  const lengths = call.inputs[4];
  if (!lengths) return;
  const numbers = numbersOf(call.asConstant(lengths, 'sequence_lens'));
  const steps = time.role === 'time' && isUnknown(time.size) ? undefined : time.size;
  if (!numbers || Array.from(numbers).some((n) => n !== steps)) {
    call.refuse('is given lengths of its sequences that are not the whole length', {
      found: numbers ? Array.from(numbers).join(', ') : 'an open length',
    });
  }
}

/** An initial state of one direction as a value of `units` features; undefined for zeros. */
function initialState(call: Call, input: number, d: number, shape: CellShape, layout: number): string | undefined {
  const tensor = call.inputs[input];
  if (!tensor) return undefined;
  const what = input === 5 ? 'initial_h' : 'initial_c';
  const dims = dimsOf(tensor);
  const at = layout === 1 ? 1 : 0;
  if (dims.length !== 3 || dims[at] !== shape.directions || dims[2] !== shape.units) {
    call.fail('MODEL_SHAPE', `its ${what} does not fit`, {
      expected: `[${shape.directions}, batch, ${shape.units}]`,
      found: showTensor(tensor),
    });
  }
  if (tensor.kind !== 'value') {
    const number = uniform(tensor);
    if (number === 0) return undefined;
    if (tensor.kind === 'fill') return call.refuse(`its ${what} is a constant that is not zero, of unknown length`);
    const data = floatsOf(call, tensor, what);
    const batch = data.length / shape.directions / shape.units;
    const from = (b: number) => (layout === 1 ? b * shape.directions + d : d * batch + b) * shape.units;
    const row = data.slice(from(0), from(0) + shape.units);
    for (let b = 1; b < batch; b++) {
      if (row.some((n, i) => n !== data[from(b) + i])) call.refuse(`its ${what} differs along the batch`);
    }
    const weight = call.weight(constant('float', [shape.units], row), `${what}${d}`, '', [shape.units], () => row);
    return call.add('constant', {}, {}, { value: weight }, `/${what}${d}`);
  }
  const axis = tensor.axes[at]!;
  const other = tensor.axes[1 - at]!;
  if (
    !isFeature(axis) ||
    !isFeature(tensor.axes[2]!) ||
    (isFeature(other) && other.size !== 1) ||
    other.role === 'time'
  ) {
    return call.refuse(`its ${what} is no state of the batch`, { found: showTensor(tensor) });
  }
  const own: Value = {
    ...tensor,
    offset: tensor.offset + d * axis.stride,
    axes: tensor.axes.map((old, i) => (i === at ? feature(1) : old)),
  };
  return rowOf(call, own).name;
}

function recurrent(cell: CellName): Handler {
  const run = (call: Call): (Tensor | undefined)[] => {
    const layout = call.int('layout', 0);
    const direction = call.text('direction', 'forward');
    if (layout !== 0 && layout !== 1) call.refuse('unknown layout', { found: String(layout) });
    if (!['forward', 'reverse', 'bidirectional'].includes(direction))
      call.refuse('unknown direction', { found: direction });
    const r = call.constant(2, 'R');
    const directions = direction === 'bidirectional' ? 2 : 1;
    const shape: CellShape = {
      cell,
      units: r.shape[2] ?? 0,
      directions,
      coupled: cell === 'lstm' && call.int('input_forget', 0) !== 0,
      resetAfter: cell === 'gru' && call.int('linear_before_reset', 0) !== 0,
    };
    if (call.int('hidden_size', shape.units) !== shape.units)
      call.fail('MODEL_SHAPE', 'hidden_size does not fit its weights', { found: `[${r.shape}]` });
    const activations = activationsOf(call, cell, directions);
    const gate = activations[0]!.gate?.[0];
    if (shape.coupled && gate !== 'sigmoid')
      call.refuse('couples its gates with another function than the sigmoid', { found: gate ?? '' });
    const { x, time, batch } = sequenceOf(call, call.value(0), layout);
    checkLengths(call, time);
    const clip = call.float('clip', 0);
    const stateNames = cell === 'lstm' ? ['h', 'c'] : ['h'];
    const outputs = Array.from({ length: directions }, (_, d) => {
      const backward = direction === 'reverse' || d === 1;
      const { gate: σ, candidate } = activations[d]!;
      const attributes: Record<string, AttributeValue> = {
        cell,
        units: shape.units,
        activation: activationAttribute(candidate),
        ...(σ ? { recurrentActivation: activationAttribute(σ) } : {}),
        ...(shape.resetAfter ? { resetAfter: true } : {}),
        ...(shape.coupled ? { coupled: true } : {}),
        ...(clip > 0 ? { clip } : {}),
        ...(backward ? { direction: 'backward' } : {}),
      };
      const inputs: Record<string, string> = { x: x.name };
      stateNames.forEach((state, k) => {
        const initial = initialState(call, 5 + k, d, shape, layout);
        if (initial !== undefined) inputs[state] = initial;
      });
      const name = directions === 1 ? call.name : `${call.name}/${backward ? 'backward' : 'forward'}`;
      return call.reading.builder.add('recurrent', name, inputs, attributes, cellWeights(call, shape, d), [
        'y',
        ...stateNames,
      ]);
    });
    return results(call, outputs, { time, batch, layout, units: shape.units });
  };
  return {
    attributes: [
      ...['activations', 'activation_alpha', 'activation_beta', 'clip', 'direction', 'hidden_size', 'layout'],
      ...(cell === 'lstm' ? ['input_forget'] : cell === 'gru' ? ['linear_before_reset'] : []),
    ],
    run,
  };
}

interface Result {
  readonly time: Axis;
  readonly batch: Axis;
  readonly layout: number;
  readonly units: number;
}

/** Y [time, directions, batch, units] (layout 1: batch first), Y_h and Y_c [directions, batch, units]. */
function results(
  call: Call,
  outputs: readonly Readonly<Record<string, string>>[],
  { time, batch, layout, units }: Result,
): (Tensor | undefined)[] {
  const join = (key: string, suffix: string) => {
    if (outputs.length === 1) return outputs[0]![key]!;
    return call.add('concat', { 0: outputs[0]![key]!, 1: outputs[1]![key]! }, {}, {}, suffix);
  };
  const [directions, unit] = plainFeatures([outputs.length, units]) as [Axis, Axis];
  const wanted = (i: number) => (call.node.output[i] ?? '') !== '';
  const { lifted } = call.reading;
  const sequence = (): Value => ({
    kind: 'value',
    name: join('y', '/y'),
    offset: 0,
    axes: layout === 1 ? [batch, time, directions, unit] : [time, directions, batch, unit],
  });
  const state = (name: string): Value => ({
    kind: 'value',
    name,
    offset: 0,
    axes: layout === 1 ? [batch, directions, unit] : [directions, batch, unit],
  });
  // In a model whose calls are steps, the state after the call is the step's output.
  const h = () => state(lifted ? join('y', '/y') : join('h', '/h'));
  return [
    wanted(0) ? sequence() : undefined,
    wanted(1) ? h() : undefined,
    outputs[0]!.c !== undefined && wanted(2) ? state(lifted ? cellOf(call, outputs) : join('c', '/c')) : undefined,
  ];
}

/**
 * The cell state after a step, of which the graph has only the last: a stand-in with the rows of the output, which must
 * turn out to be needed for nothing but the next call's state.
 */
function cellOf(call: Call, outputs: readonly Readonly<Record<string, string>>[]): string {
  if (outputs.length > 1) call.refuse('runs in both directions in a model with states');
  const { y, c } = outputs[0]!;
  const name = call.add('unary', { x: y! }, { function: ['linear'] }, {}, '/cell');
  call.reading.cells.set(c!, name);
  return name;
}

export const recurrentHandlers: Readonly<Record<string, Handler>> = {
  LSTM: recurrent('lstm'),
  GRU: recurrent('gru'),
  RNN: recurrent('rnn'),
};
