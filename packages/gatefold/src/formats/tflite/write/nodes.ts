import { decode, type Node } from '@gatefold/runtime';
import type { Interval } from '../../../compress/index.ts';
import { activationOf, emitActivation } from './activation.ts';
import { emitLast } from './around-steps.ts';
import type { Emitter } from './emit.ts';
import { emitRecurrent } from './recurrent.ts';
import type { NodeWriter } from './types.ts';
import { windowWriters } from './windows.ts';

const binaryOperators: Readonly<Record<string, string>> = {
  add: 'ADD',
  subtract: 'SUB',
  multiply: 'MUL',
  divide: 'DIV',
  maximum: 'MAXIMUM',
  minimum: 'MINIMUM',
};

const dense: NodeWriter = (emitter, node) => {
  const { shape } = emitter.weight(node, 'kernel')!;
  const kernel = emitter.constant(node, 'kernel', shape, true);
  const bias = node.weights.bias === undefined ? -1 : emitter.vector(node, 'bias', shape[0]!);
  const options = { activation: 0, weightsFormat: 0, keepDims: true };
  const y = emitter.define(node.outputs.y!);
  emitter.builder.operator('FULLY_CONNECTED', [emitter.input(node, 'x'), kernel, bias], [y], options, 5);
};

const embedding: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  const { shape } = emitter.weight(node, 'table')!;
  const table = emitter.constant(node, 'table', shape, false);
  let ids = emitter.input(node, 'x');
  const { shape: outer, signature } = emitter.shapeOf(node.outputs.y!);
  if (builder.shapeOf(ids).length === outer.length) {
    const flat = builder.tensor({ name: `${node.name}/ids`, shape: outer.slice(0, -1), type: 'INT32' });
    const dims = (signature ?? outer).slice(0, -1);
    builder.operator('RESHAPE', [ids, builder.ints(`${node.name}/ids shape`, dims)], [flat]);
    ids = flat;
  }
  const rows = emitter.rows(node, 'table');
  if (rows.kind !== 'INT8') {
    builder.operator('GATHER', [table, ids], [emitter.define(node.outputs.y!)], { axis: 0, batchDims: 0 });
    return;
  }
  const codes = builder.tensor({
    name: `${node.name}/codes`,
    shape: outer,
    ...(signature ? { signature } : {}),
    type: 'INT8',
    scales: [Math.abs(rows.scales[0]!) || 1],
  });
  builder.operator('GATHER', [table, ids], [codes], { axis: 0, batchDims: 0 }, 2);
  builder.operator('DEQUANTIZE', [codes], [emitter.define(node.outputs.y!)], {}, 2);
};

const scaleShift: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  const x = emitter.input(node, 'x');
  const width = emitter.width(node.inputs.x!);
  const y = emitter.define(node.outputs.y!);
  const { scale, shift } = node.weights;
  if (scale === undefined && shift === undefined) return void emitActivation(emitter, node, ['linear', []], x, y);
  const { shape, signature } = emitter.shapeOf(node.outputs.y!);
  const scaled =
    shift === undefined ? y : emitter.between(node, 'scaled', shape, signature, beforeShift(emitter, node));
  if (scale !== undefined)
    builder.operator('MUL', [x, emitter.vector(node, 'scale', width)], [scaled], { activation: 0 });
  if (shift !== undefined) {
    const to = scale === undefined ? x : scaled;
    builder.operator('ADD', [to, emitter.vector(node, 'shift', width)], [y], { activation: 0 });
  }
};

/** The range of what the shift of a node is added to. */
function beforeShift(emitter: Emitter, node: Node): { readonly range?: Interval } {
  const { range } = emitter.rangeOf(node.outputs.y!);
  if (!range) return {};
  const shift = decode(emitter.weight(node, 'shift')!);
  const [least, most] = [shift.reduce((a, b) => Math.min(a, b)), shift.reduce((a, b) => Math.max(a, b))];
  return { range: { low: range.low - most, high: range.high - least } };
}

const normalization: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  if (node.attributes.kind !== 'layer') emitter.refuse(node, `normalization "${node.attributes.kind}"`);
  const x = emitter.input(node, 'x');
  const { shape, signature } = emitter.shapeOf(node.outputs.y!);
  const width = shape.at(-1)!;
  const axis = builder.ints(`${node.name}/axis`, [shape.length - 1]);
  const one = (name: string) => emitter.between(node, name, shape.with(-1, 1), signature?.with(-1, 1));
  const full = (name: string) => emitter.between(node, name, shape, signature);
  const binary = (name: string, a: number, b: number, y: number) => {
    builder.operator(name, [a, b], [y], name === 'SQUARED_DIFFERENCE' ? {} : { activation: 0 });
    return y;
  };
  const mean = one('mean');
  builder.operator('MEAN', [x, axis], [mean], { keepDims: true });
  const squares = binary('SQUARED_DIFFERENCE', x, mean, full('squares'));
  const variance = one('variance');
  builder.operator('MEAN', [squares, axis], [variance], { keepDims: true });
  const sum = binary('ADD', variance, emitter.scalar(node, Number(node.attributes.epsilon)), one('sum'));
  const root = one('root');
  builder.operator('RSQRT', [sum], [root]);
  const y = emitter.define(node.outputs.y!);
  const { gamma, beta } = node.weights;
  const normal = binary('MUL', binary('SUB', x, mean, full('centred')), root, gamma || beta ? full('normal') : y);
  const scaled = gamma
    ? binary('MUL', normal, emitter.vector(node, 'gamma', width), beta ? full('scaled') : y)
    : normal;
  if (beta) binary('ADD', scaled, emitter.vector(node, 'beta', width), y);
};

const unary: NodeWriter = (emitter, node) => {
  const y = emitter.define(node.outputs.y!);
  emitActivation(emitter, node, activationOf(node, 'function'), emitter.input(node, 'x'), y);
};

const binary: NodeWriter = (emitter, node) => {
  const name = binaryOperators[String(node.attributes.function)]!;
  const options = name === 'MAXIMUM' || name === 'MINIMUM' ? {} : { activation: 0 };
  const inputs = [emitter.input(node, 'a'), emitter.input(node, 'b')];
  emitter.builder.operator(name, inputs, [emitter.define(node.outputs.y!)], options);
};

const softmax: NodeWriter = (emitter, node) => {
  emitter.builder.operator('SOFTMAX', [emitter.input(node, 'x')], [emitter.define(node.outputs.y!)], { beta: 1 });
};

/** A row-major rearrangement of known sizes. */
const reshape: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  const y = emitter.define(node.outputs.y!);
  const { shape, signature } = emitter.shapeOf(node.outputs.y!);
  const open = signature && emitter.shapeOf(node.inputs.x!).signature ? signature : shape;
  builder.operator('RESHAPE', [emitter.input(node, 'x'), builder.ints(`${node.name}/shape`, open)], [y]);
};

const last: NodeWriter = (emitter, node) => {
  const x = emitter.input(node, 'x');
  if (emitter.builder.shapeOf(x).length !== 3) emitter.refuse(node, 'the last step of more than features');
  emitLast(emitter, node, x, emitter.define(node.outputs.y!));
};

const reverse: NodeWriter = (emitter, node) => {
  const axis = emitter.builder.ints(`${node.name}/axis`, [1]);
  emitter.builder.operator('REVERSE_V2', [emitter.input(node, 'x'), axis], [emitter.define(node.outputs.y!)]);
};

const reduceTime: NodeWriter = (emitter, node) => {
  if (emitter.stepwise)
    emitter.refuse(node, 'a reduction over an open number of steps', 'give the model a number of steps');
  if (node.inputs.mask !== undefined) emitter.refuse(node, 'masked steps');
  const name = { mean: 'MEAN', sum: 'SUM', max: 'REDUCE_MAX' }[String(node.attributes.function)]!;
  const axis = emitter.builder.ints(`${node.name}/axis`, [1]);
  emitter.builder.operator(name, [emitter.input(node, 'x'), axis], [emitter.define(node.outputs.y!)], {
    keepDims: false,
  });
};

const concat: NodeWriter = (emitter, node) => {
  const inputs = Object.keys(node.inputs)
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => emitter.input(node, name));
  const y = emitter.define(node.outputs.y!);
  const axis = emitter.builder.shapeOf(y).length - 1;
  emitter.builder.operator('CONCATENATION', inputs, [y], { axis, activation: 0 });
};

const slice: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  const x = emitter.input(node, 'x');
  const rank = builder.shapeOf(x).length;
  const from = Number(node.attributes.from ?? 0);
  const width = builder.shapeOf(emitter.define(node.outputs.y!)).at(-1)!;
  const at = (value: number) => Array.from({ length: rank }, (_, i) => (i === rank - 1 ? value : 0));
  const list = (name: string, values: number[]) => builder.ints(`${node.name}/${name}`, values);
  const strides = list('strides', at(0).fill(1));
  const inputs = [x, list('begin', at(from)), list('end', at(from + width)), strides];
  const mask = (1 << (rank - 1)) - 1;
  const y = emitter.tensorOf(node.outputs.y!);
  builder.operator('STRIDED_SLICE', inputs, [y], { beginMask: mask, endMask: mask });
};

const transpose: NodeWriter = (emitter, node) => {
  const order = emitter.builder.ints(`${node.name}/order`, [0, 2, 1]);
  emitter.builder.operator('TRANSPOSE', [emitter.input(node, 'x'), order], [emitter.define(node.outputs.y!)]);
};

/** Writers by op. An op without one is refused by its name. */
export const nodeWriters: ReadonlyMap<string, NodeWriter> = new Map(
  Object.entries({
    recurrent: emitRecurrent,
    dense,
    embedding,
    scaleShift,
    normalization,
    unary,
    binary,
    softmax,
    reshape,
    last,
    reverse,
    reduceTime,
    concat,
    slice,
    transpose,
    ...windowWriters,
  }),
);
