import { type Activation, decode, fail, sizeOf, type Weight } from '@gatefold/runtime';
import { activationAttribute } from '../../graph-builder.ts';
import { sequenceOf, signalOf } from '../coerce.ts';
import { isZero } from '../constant.ts';
import type { Lift } from '../lift.ts';
import type { Operation } from '../lifted.ts';
import { open, type Tensor } from '../parse.ts';
import { gateBound } from '../schema.ts';
import type { Block } from '../weights.ts';
import type { Handler } from './types.ts';

/** Where the parts of one direction stand among the operator's inputs; gates in the file's order i, f, g, o. */
interface Places {
  readonly W: number;
  readonly U: number;
  readonly P: number;
  readonly b: number;
  readonly R: number;
  readonly states: readonly [h: number, c: number];
}

/** Our gates i, f, o, g by their place in the file's order i, f, g, o. */
const gateOrder = [0, 1, 3, 2];

/** States in the file's variables start at zero. */
function checkVariable(lift: Lift, operation: Operation, i: number): void {
  const tensor = lift.graph.tensors[operation.inputs[i] ?? -1];
  if (!tensor?.variable) lift.refuse(operation, `input ${i} is no variable tensor`, 'states must stand in variables');
}

/** [batch, time, features], or with time first; the dimensions of both. */
function sequenceInput(lift: Lift, operation: Operation) {
  const signal = signalOf(lift, operation, 0);
  if (signal.shape.length !== 3)
    lift.refuse(operation, `takes a tensor of three dimensions, not ${signal.shape.length}`);
  const steps = operation.options.timeMajor ? 0 : 1;
  return { x: sequenceOf(lift, operation, signal, { steps, features: 2 }), count: signal.shape[steps]!, steps };
}

function setSequence(lift: Lift, output: number, value: string, run: { count: number; steps: number }, width: number) {
  const shape = [1, 1, width].with(run.steps, run.count);
  lift.set(output, { kind: 'signal', value, shape, time: run.count === 1 ? -1 : run.steps });
}

/** The bound on c: the operator's, and the range of the 16-bit integers that c is kept in. */
function cellClip(lift: Lift, operation: Operation, state: number, steps: number): Record<string, number> {
  const given = Number(operation.options.cellClip);
  const [scale] = lift.graph.tensors[operation.inputs[state]!]!.quantization?.scales ?? [];
  const range = scale === undefined || scale === 0 ? Number.POSITIVE_INFINITY : scale * 32767;
  const bound = Math.min(given > 0 ? given : Number.POSITIVE_INFINITY, range);
  // Each step adds at most one to |c|, so that few steps cannot reach it.
  return bound === Number.POSITIVE_INFINITY || steps <= bound ? {} : { cellClip: bound };
}

/** The largest sum of magnitudes in a row of a matrix. */
function rowBound(weight: Weight): number {
  const values = decode(weight);
  const columns = weight.shape[1] ?? 1;
  let most = 0;
  for (let at = 0; at < values.length; at += columns) {
    let sum = 0;
    for (let i = at; i < at + columns; i++) sum += Math.abs(values[i]!);
    most = Math.max(most, sum);
  }
  return most;
}

/** The largest magnitude that an 8-bit tensor can hold; undefined for others. */
function reach({ type, quantization }: Tensor): number | undefined {
  const [scale, zero] = [quantization?.scales[0], quantization?.zeros[0] ?? 0];
  if (type !== 'INT8' || scale === undefined) return undefined;
  return scale * Math.max(Math.abs(-128 - zero), Math.abs(127 - zero));
}

/**
 * The bounds that 16-bit gates have in an integer layer: W·x + b saturates alone, then with U·h. They shape what the layer does where
 * inputs are large (with the DTLN of tflite-micro, by up to 0.3 of h); where the codes cannot reach them they are left out.
 */
function gateClips(lift: Lift, operation: Operation, places: Places, weights: Readonly<Record<string, string>>) {
  const { inputs, codedInputs = inputs } = operation;
  const tensorOf = (i: number) => lift.graph.tensors[codedInputs[i]!]!;
  const [x, h] = [reach(tensorOf(0)), reach(tensorOf(places.states[0]))];
  if (x === undefined || h === undefined) return {};
  const boundOf = (role: string) => rowBound(lift.builder.weights[weights[role]!]!);
  const input = boundOf('W') * x + boundOf('b');
  return {
    ...(input > gateBound ? { inputClip: gateBound } : {}),
    ...(weights.P !== undefined || input + boundOf('U') * h > gateBound ? { clip: gateBound } : {}),
  };
}

function lstmDirection(
  lift: Lift,
  operation: Operation,
  places: Places,
  name: string,
  run: { x: string; count: number; backward: boolean },
): { y: string; width: number } {
  const coupled = (operation.inputs[places.W] ?? -1) === -1;
  const gates = coupled ? gateOrder.slice(1) : gateOrder;
  const blocks = (at: number, order = gates): Block[] =>
    order.map((gate) => ({ constant: lift.constant(operation, at + gate) }));
  const has = (at: number) => (operation.inputs[at] ?? -1) !== -1;
  const weights: Record<string, string> = {
    W: lift.weight(`${name}/W`, blocks(places.W)),
    U: lift.weight(`${name}/U`, blocks(places.U)),
    b: lift.weight(`${name}/b`, blocks(places.b), true),
  };
  // Peepholes stand in the order i, f, o; cells without input gate have none for it.
  if (has(places.P + 2)) weights.P = lift.weight(`${name}/P`, blocks(places.P, coupled ? [1, 2] : [0, 1, 2]), true);
  if (has(places.R)) {
    weights.R = lift.weight(`${name}/R`, [{ constant: lift.constant(operation, places.R) }]);
    const bias = lift.optionalConstant(operation, places.R + 1);
    if (bias && !isZero(bias)) lift.refuse(operation, 'a bias after its projection');
    if (Number(operation.options.projectionClip) > 0) lift.refuse(operation, 'a clipped projection');
  }
  for (const state of places.states) checkVariable(lift, operation, state);
  const activation = lift.fused(operation);
  const W = lift.builder.weights[weights.W!]!;
  const units = W.shape[0]! / gates.length;
  const attributes = {
    cell: 'lstm',
    units,
    activation: activationAttribute(activation),
    recurrentActivation: ['sigmoid'],
    ...(coupled ? { coupled } : {}),
    ...(run.backward ? { direction: 'backward' } : {}),
    ...gateClips(lift, operation, places, weights),
    // One step a call goes on from the call before.
    ...cellClip(lift, operation, places.states[1], activation[0] === 'tanh' && run.count > 1 ? run.count : open),
  };
  const y = lift.builder.add('recurrent', name, { x: run.x }, attributes, weights).y!;
  const R = weights.R === undefined ? undefined : lift.builder.weights[weights.R];
  return { y, width: R?.shape[0] ?? units };
}

const unidirectional: Handler = (lift, operation) => {
  if (operation.options.diagonal) lift.refuse(operation, 'diagonal recurrent matrices');
  if ([20, 21, 22, 23].some((i) => (operation.inputs[i] ?? -1) !== -1))
    lift.refuse(operation, 'layer normalization inside the cell', 'retrain without it');
  const run = sequenceInput(lift, operation);
  const places: Places = { W: 1, U: 5, P: 9, b: 12, R: 16, states: [18, 19] };
  const { y, width } = lstmDirection(lift, operation, places, lift.nodeName(operation), { ...run, backward: false });
  setSequence(lift, operation.outputs[0]!, y, run, width);
};

const bidirectional: Handler = (lift, operation) => {
  if (Array.from({ length: 9 }, (_, i) => 39 + i).some((i) => (operation.inputs[i] ?? -1) !== -1))
    lift.refuse(operation, 'an auxiliary input');
  const run = sequenceInput(lift, operation);
  const name = lift.nodeName(operation);
  const forward = lstmDirection(
    lift,
    operation,
    { W: 1, U: 5, P: 9, b: 12, R: 16, states: [35, 36] },
    `${name}/forward`,
    { ...run, backward: false },
  );
  const backward = lstmDirection(
    lift,
    operation,
    { W: 18, U: 22, P: 26, b: 29, R: 33, states: [37, 38] },
    `${name}/backward`,
    { ...run, backward: true },
  );
  setBoth(lift, operation, run, forward, backward);
};

function setBoth(
  lift: Lift,
  operation: Operation,
  run: { count: number; steps: number },
  forward: { y: string; width: number },
  backward: { y: string; width: number },
): void {
  const [first, second] = operation.outputs;
  if (operation.options.merge) {
    const y = lift.node(operation, 'concat', { 0: forward.y, 1: backward.y });
    setSequence(lift, first!, y, run, forward.width + backward.width);
    return;
  }
  if (second === undefined) fail('MODEL_INVALID', 'an output is missing', { place: operation.place });
  setSequence(lift, first!, forward.y, run, forward.width);
  setSequence(lift, second, backward.y, run, backward.width);
}

function rnnDirection(
  lift: Lift,
  operation: Operation,
  at: number,
  name: string,
  run: { x: string; backward: boolean },
): { y: string; width: number } {
  const block = (i: number): Block[] => [{ constant: lift.constant(operation, i) }];
  const weights = {
    W: lift.weight(`${name}/W`, block(at)),
    U: lift.weight(`${name}/U`, block(at + 1)),
    b: lift.weight(`${name}/b`, block(at + 2), true),
  };
  checkVariable(lift, operation, at + 3);
  const units = sizeOf(lift.builder.weights[weights.b]!.shape);
  const attributes = {
    cell: 'rnn',
    units,
    activation: activationAttribute(lift.fused(operation) as Activation),
    ...(run.backward ? { direction: 'backward' } : {}),
  };
  return { y: lift.builder.add('recurrent', name, { x: run.x }, attributes, weights).y!, width: units };
}

const rnn: Handler = (lift, operation) => {
  const run = sequenceInput(lift, operation);
  const { y, width } = rnnDirection(lift, operation, 1, lift.nodeName(operation), { ...run, backward: false });
  setSequence(lift, operation.outputs[0]!, y, run, width);
};

const bidirectionalRnn: Handler = (lift, operation) => {
  if ([9, 10, 11].some((i) => (operation.inputs[i] ?? -1) !== -1)) lift.refuse(operation, 'an auxiliary input');
  const run = sequenceInput(lift, operation);
  const name = lift.nodeName(operation);
  const forward = rnnDirection(lift, operation, 1, `${name}/forward`, { ...run, backward: false });
  const backward = rnnDirection(lift, operation, 5, `${name}/backward`, { ...run, backward: true });
  setBoth(lift, operation, run, forward, backward);
};

export const recurrentHandlers: Readonly<Record<string, Handler>> = {
  UNIDIRECTIONAL_SEQUENCE_LSTM: unidirectional,
  BIDIRECTIONAL_SEQUENCE_LSTM: bidirectional,
  UNIDIRECTIONAL_SEQUENCE_RNN: rnn,
  BIDIRECTIONAL_SEQUENCE_RNN: bidirectionalRnn,
};
