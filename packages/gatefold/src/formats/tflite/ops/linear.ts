import { fail, sizeOf } from '@gatefold/runtime';
import { rowsOf, sequenceOf, signalOf } from '../coerce.ts';
import { type Constant, isZero, realsOf, wholesOf } from '../constant.ts';
import { axisOf, type Lift, proper, showDims } from '../lift.ts';
import type { Operation, Signal } from '../lifted.ts';
import { open } from '../parse.ts';
import { whole } from '../pieces.ts';
import type { Block } from '../weights.ts';
import { takenAt } from './shape.ts';
import type { Handler } from './types.ts';

/** Weight names follow the file's tensors, so that what shares a tensor shares the weight. */
function weightName(constant: Constant, otherwise: string): string {
  return constant.name || otherwise;
}

/** Bias of an operator as a weight role, where there is one. */
function bias(lift: Lift, operation: Operation, i: number, outputs: number): Record<string, string> {
  const constant = lift.optionalConstant(operation, i);
  if (!constant) return {};
  if (constant.data.length !== outputs)
    lift.refuse(operation, `a bias of ${constant.data.length} for ${outputs} outputs`);
  const name = weightName(constant, `${lift.nodeName(operation)}/bias`);
  return { bias: lift.weight(name, [{ constant: { ...constant, shape: [outputs] } }], true) };
}

const fullyConnected: Handler = (lift, operation) => {
  const kernel = lift.constant(operation, 1);
  if (operation.options.weightsFormat) lift.refuse(operation, 'weights shuffled for a processor');
  const [outputs = 0, columns = 0] = kernel.shape;
  if (kernel.shape.length !== 2 || outputs < 1 || columns < 1)
    lift.refuse(operation, `a kernel of shape ${showDims(kernel.shape)}`);
  const given = lift.input(operation, 0);
  if (given.kind === 'constant' && isZero(given)) {
    // The first step of an unrolled layer multiplies the zero state.
    const bias = lift.optionalConstant(operation, 2);
    const data = bias ? realsOf(bias) : new Float32Array(outputs);
    const { name } = bias ?? kernel;
    lift.set(operation.outputs[0]!, lift.fold(name, [1, outputs], data, 'FLOAT32'));
    return;
  }
  const input = signalOf(lift, operation, 0);
  const { value: x, before, time } = rowsOf(lift, operation, input, columns);
  const name = weightName(kernel, `${lift.nodeName(operation)}/kernel`);
  const weights = { kernel: lift.weight(name, [{ constant: kernel }]), ...bias(lift, operation, 2, outputs) };
  const y = lift.apply(operation, lift.fused(operation), lift.node(operation, 'dense', { x }, {}, weights));
  const rows = time === -1 ? 1 : before[time]!;
  const signal: Signal = operation.options.keepDims
    ? { kind: 'signal', value: y, shape: [...before, outputs], time }
    : { kind: 'signal', value: y, shape: [rows, outputs], time: rows === 1 ? -1 : 0 };
  lift.set(operation.outputs[0]!, signal);
};

const softmax: Handler = (lift, operation) => {
  if (operation.options.beta !== 1) lift.refuse(operation, `beta ${operation.options.beta}`, 'use beta 1');
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  const { value: x, time } = rowsOf(lift, operation, signal, signal.shape.at(-1)!);
  lift.set(operation.outputs[0]!, { ...signal, time, value: lift.node(operation, 'softmax', { x }) });
};

/** Where the steps and the other image dimension of [batch, height, width, channels] stand. */
function stepsDim(signal: Signal, kernel: readonly number[]): 1 | 2 {
  if (signal.time === 1 || signal.time === 2) return signal.time;
  return kernel[1]! > 1 || signal.shape[1]! > 1 ? 1 : 2;
}

const convolution: Handler = (lift, operation) => {
  const { options, name } = operation;
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  const kernel = lift.constant(operation, 1);
  if (kernel.shape.length !== 4 || signal.shape.length !== 4)
    lift.refuse(operation, `a kernel of shape ${showDims(kernel.shape)}`);
  const depthwise = name === 'DEPTHWISE_CONV_2D';
  const at = stepsDim(signal, kernel.shape);
  const other = at === 1 ? 2 : 1;
  if (kernel.shape[other] !== 1 || signal.shape[other] !== 1) {
    lift.refuse(operation, 'works on images', 'only convolution over time has a meaning here');
  }
  const size = kernel.shape[at]!;
  const along = (what: string) => Number(options[`${what}${at === 1 ? 'H' : 'W'}`]);
  const [stride, dilation] = [along('stride'), along('dilation')];
  const steps = signal.shape[at]!;
  const [outputs, inputs] = depthwise ? [kernel.shape[3]!, 1] : [kernel.shape[0]!, kernel.shape[3]!];
  const base = lift.nodeName(operation);
  // Depthwise kernels are [1, size, outputs]: a row per output of ours is a column of theirs.
  const matrix = depthwise ? transposed(lift, kernel, size, outputs) : kernel;
  const block: Block = { constant: { ...matrix, shape: [outputs, size * inputs] } };
  const weights = {
    kernel: lift.weight(weightName(kernel, `${base}/kernel`), [block]),
    ...bias(lift, operation, 2, outputs),
  };
  let y: string;
  let count = steps;
  const channels = signal.shape[3]!;
  if (size === 1 && stride === 1 && !depthwise) {
    y = lift.node(operation, 'dense', { x: rowsOf(lift, operation, signal, channels).value }, {}, weights);
  } else {
    if (stride < 1 || dilation < 1) fail('MODEL_INVALID', 'a stride must be positive', { place: operation.place });
    const x = sequenceOf(lift, operation, signal, { steps: at, features: 3 });
    const reach = (size - 1) * dilation + 1;
    const same = options.padding === 0;
    if (same && steps === open) lift.refuse(operation, 'pads an open number of steps');
    count = same ? Math.ceil(steps / stride) : Math.floor((steps - reach) / stride) + 1;
    const padding = same ? Math.max(0, (count - 1) * stride + reach - steps) : 0;
    const left = Math.floor(padding / 2);
    const attributes = { size, stride, dilation, padding: [left, padding - left], groups: depthwise ? channels : 1 };
    y = lift.node(operation, 'conv1d', { x }, attributes, weights);
    if (steps === open) count = open;
  }
  const shape = signal.shape.with(at, count).with(3, outputs);
  const value = lift.apply(operation, lift.fused(operation), y);
  lift.set(operation.outputs[0]!, { kind: 'signal', value, shape, time: count === 1 ? -1 : at });
};

function transposed(lift: Lift, kernel: Constant, size: number, outputs: number): Constant {
  const data = kernel.data.slice();
  lift.charge(data.length, kernel.name);
  for (let k = 0; k < size; k++) {
    for (let o = 0; o < outputs; o++) data[o * size + k] = kernel.data[k * outputs + o]!;
  }
  const quantization = kernel.quantization && { ...kernel.quantization, axis: 0 };
  return { ...kernel, data, ...(quantization ? { quantization } : {}) };
}

/** Rows of a table by ids: EMBEDDING_LOOKUP(ids, table) and GATHER(table, ids). */
const lookup: Handler = (lift, operation) => {
  const gather = operation.name === 'GATHER';
  const table = lift.input(operation, gather ? 0 : 1);
  const ids = lift.input(operation, gather ? 1 : 0);
  if (gather && table.kind === 'constant' && ids.kind === 'constant') {
    if (table.shape.length !== 1) lift.refuse(operation, 'takes rows of a constant');
    const picked = wholesOf(ids, operation.place).map((i) => table.data[i] ?? Number.NaN);
    if (picked.some(Number.isNaN)) fail('MODEL_INVALID', 'an index lies outside', { place: operation.place });
    lift.set(operation.outputs[0]!, lift.fold(table.name, ids.shape, Int32Array.from(picked), 'INT32'));
    return;
  }
  if (gather && table.kind !== 'constant' && ids.kind === 'constant' && ids.data.length === 1) {
    const axis = axisOf(Number(operation.options.axis), table.shape.length, operation.place);
    const at = axisOf(wholesOf(ids, operation.place)[0]!, table.shape[axis]!, operation.place);
    lift.set(operation.outputs[0]!, takenAt(lift, operation, table, axis, at, ids.shape.length === 1));
    return;
  }
  if (
    table.kind !== 'constant' ||
    ids.kind !== 'signal' ||
    table.shape.length !== 2 ||
    Number(operation.options.axis ?? 0) !== 0
  ) {
    return lift.refuse(operation, 'looks up something else than rows of a constant table by ids');
  }
  const signal = whole(lift, operation, ids);
  const name = weightName(table, `${lift.nodeName(operation)}/table`);
  const weights = { table: lift.weight(name, [{ constant: table }]) };
  const value = lift.node(operation, 'embedding', { x: signal.value }, {}, weights);
  const shape = [...signal.shape, table.shape[1]!];
  const steps = lift.builder.steps(value);
  const time = signal.time === -1 && steps !== 1 ? (proper(signal.shape)[0] ?? -1) : signal.time;
  lift.set(operation.outputs[0]!, { kind: 'signal', value, shape, time });
};

/** Over steps or over features of what has steps. */
const reduce: Handler = (lift, operation) => {
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  const rank = signal.shape.length;
  const axes = wholesOf(lift.constant(operation, 1), operation.place).map((axis) => (axis < 0 ? axis + rank : axis));
  const keep = operation.options.keepDims === true;
  const shape = signal.shape.flatMap((dim, i) => (!axes.includes(i) ? [dim] : keep ? [1] : []));
  const over = axes.filter((axis) => signal.shape[axis] !== 1);
  if (over.length === 0) {
    lift.set(operation.outputs[0]!, { ...signal, shape, time: -1 });
    return;
  }
  if (over.length !== 1) lift.refuse(operation, `reduces ${showDims(signal.shape)} over dimensions ${axes.join(', ')}`);
  const features = rank - 1;
  if (over[0] !== signal.time && (over[0] === features || sizeOf(signal.shape) === signal.shape[over[0]!]!))
    lift.refuse(operation, 'reduces over features', 'only layer normalization does so here');
  const x = over[0] === signal.time ? signal.value : sequenceOf(lift, operation, signal, { steps: over[0]!, features });
  const how = { MEAN: 'mean', SUM: 'sum', REDUCE_MAX: 'max' }[operation.name]!;
  const value = lift.node(operation, 'reduceTime', { x }, { function: how });
  lift.set(operation.outputs[0]!, { kind: 'signal', value, shape, time: -1 });
};

const pad: Handler = (lift, operation) => {
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  const amounts = wholesOf(lift.constant(operation, 1), operation.place);
  const padded = signal.shape.flatMap((_, i) => (amounts[2 * i] || amounts[2 * i + 1] ? [i] : []));
  const [axis] = padded;
  if (axis === undefined) {
    lift.set(operation.outputs[0]!, signal);
    return;
  }
  if (padded.length > 1 || axis !== signal.time) lift.refuse(operation, 'pads something else than steps');
  const [left, right] = [amounts[2 * axis]!, amounts[2 * axis + 1]!];
  const value = lift.node(operation, 'pad', { x: signal.value }, { left, right });
  const steps = signal.shape[axis]!;
  if (steps === open) lift.refuse(operation, 'pads an open number of steps');
  lift.set(operation.outputs[0]!, { ...signal, value, shape: signal.shape.with(axis, steps + left + right) });
};

const reverse: Handler = (lift, operation) => {
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  const rank = signal.shape.length;
  const axes = wholesOf(lift.constant(operation, 1), operation.place).map((axis) =>
    axisOf(axis, rank, operation.place),
  );
  const reversed = axes.filter((axis) => signal.shape[axis] !== 1);
  if (reversed.some((axis) => axis !== signal.time)) lift.refuse(operation, 'reverses something else than steps');
  const value = reversed.length === 0 ? signal.value : lift.node(operation, 'reverse', { x: signal.value });
  lift.set(operation.outputs[0]!, { ...signal, value });
};

const pool: Handler = (lift, operation) => {
  const { options, name } = operation;
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  if (signal.shape.length !== 4) lift.refuse(operation, `pools ${showDims(signal.shape)}`);
  const at = stepsDim(signal, [1, Number(options.filterHeight)]);
  const [across, along] = at === 1 ? (['W', 'H'] as const) : (['H', 'W'] as const);
  const filter = { W: Number(options.filterWidth), H: Number(options.filterHeight) };
  const [size, stride] = [filter[along], Number(options[`stride${along}`])];
  const steps = signal.shape[at]!;
  if (filter[across] !== 1 || signal.shape[at === 1 ? 2 : 1] !== 1) lift.refuse(operation, 'works on images');
  if (steps === open) lift.refuse(operation, 'pools an open number of steps');
  if (stride < 1 || size < 1) fail('MODEL_INVALID', 'a window must be positive', { place: operation.place });
  const count = options.padding === 0 ? Math.ceil(steps / stride) : Math.floor((steps - size) / stride) + 1;
  const padding = Math.max(0, options.padding === 0 ? (count - 1) * stride + size - steps : 0);
  const left = Math.floor(padding / 2);
  const x = sequenceOf(lift, operation, signal, { steps: at, features: 3 });
  const how = name === 'MAX_POOL_2D' ? 'max' : 'mean';
  const attributes = { function: how, size, stride, padding: [left, padding - left] };
  const value = lift.apply(operation, lift.fused(operation), lift.node(operation, 'pool', { x }, attributes));
  lift.set(operation.outputs[0]!, {
    kind: 'signal',
    value,
    shape: signal.shape.with(at, count),
    time: count === 1 ? -1 : at,
  });
};

export const linearHandlers: Readonly<Record<string, Handler>> = {
  FULLY_CONNECTED: fullyConnected,
  SOFTMAX: softmax,
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: convolution,
  EMBEDDING_LOOKUP: lookup,
  GATHER: lookup,
  MEAN: reduce,
  SUM: reduce,
  REDUCE_MAX: reduce,
  PAD: pad,
  REVERSE_V2: reverse,
  MAX_POOL_2D: pool,
  AVERAGE_POOL_2D: pool,
};
