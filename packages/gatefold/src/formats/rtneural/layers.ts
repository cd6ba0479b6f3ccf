import { fail } from '@gatefold/runtime';
import { gateMatrix, gateRows, kerasGates, type PlainArray } from '../gates.ts';
import { activationAttribute, type GraphBuilder } from '../graph-builder.ts';
import type { Json } from '../keras/config.ts';
import { show } from '../keras/json.ts';
import { transposed } from '../keras/layer.ts';
import { arrayOf } from './arrays.ts';

/** A layer of the file, where it stands in the graph and what goes into it. */
export interface Layer {
  readonly builder: GraphBuilder;
  readonly json: Json;
  readonly name: string;
  readonly x: string;
  readonly width: number;
}

/** Functions that RTNeural knows by name. */
const activations: Readonly<Record<string, 'tanh' | 'relu' | 'sigmoid' | 'elu'>> = {
  tanh: 'tanh',
  relu: 'relu',
  sigmoid: 'sigmoid',
  elu: 'elu',
};

function refuse({ json, name }: Pick<Layer, 'json' | 'name'>, what: string, hint?: string): never {
  fail('MODEL_UNSUPPORTED', `layer "${name}" (${show(json.type)}): ${what}`, {
    place: name,
    ...(hint ? { hint } : {}),
  });
}

/** The arrays of a layer; `counts` are the numbers of arrays that it may have. */
function weightsOf({ json, name }: Layer, counts: readonly number[]): readonly unknown[] {
  const { weights } = json;
  if (Array.isArray(weights) && counts.includes(weights.length)) return weights;
  return fail('FILE_CORRUPT', 'a layer has another number of arrays', {
    place: name,
    expected: counts.join(' or '),
    found: Array.isArray(weights) ? `${weights.length}` : show(weights),
  });
}

/** The width that the layer says it has: the last of its shape. */
function units(layer: Layer): number {
  const { shape } = layer.json;
  const last = Array.isArray(shape) ? shape.at(-1) : undefined;
  return Number.isInteger(last) && last > 0
    ? last
    : fail('FILE_CORRUPT', 'a layer has no shape', { place: layer.name, found: show(shape) });
}

function whole(layer: Layer, key: string, otherwise?: number): number {
  const value = layer.json[key] ?? otherwise;
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return Number.isInteger(last) && (last as number) > 0
    ? (last as number)
    : fail('FILE_CORRUPT', `a layer has no "${key}"`, { place: layer.name, found: show(value) });
}

function activate(layer: Layer, x: string, name: string): string {
  const written = layer.json.activation ?? '';
  if (written === '') return x;
  if (written === 'softmax') return layer.builder.add('softmax', name, { x }).y!;
  const known = typeof written === 'string' && Object.hasOwn(activations, written) ? activations[written] : undefined;
  if (!known)
    refuse(layer, `activation ${show(written)} is not known`, `known: ${Object.keys(activations).join(', ')}, softmax`);
  return layer.builder.add('unary', name, { x }, { function: activationAttribute([known]) }).y!;
}

function dense(layer: Layer): string {
  const { builder, name, width, x } = layer;
  const outputs = units(layer);
  const [kernel, bias] = weightsOf(layer, [1, 2]);
  const weights = {
    kernel: builder.weight(`${name}/kernel`, () => transposed(arrayOf(kernel, [width, outputs], `${name}/kernel`))),
    ...(bias === undefined ? {} : { bias: vector(layer, 'bias', bias, outputs) }),
  };
  return activate(layer, builder.add('dense', name, { x }, {}, weights).y!, `${name}/activation`);
}

function vector({ builder, name }: Layer, role: string, value: unknown, length: number): string {
  return builder.weight(`${name}/${role}`, () => arrayOf(value, [length], `${name}/${role}`));
}

/** Causal: the stream begins with zeros. */
function conv1d(layer: Layer): string {
  const { builder, name, width, x } = layer;
  const outputs = units(layer);
  const size = whole(layer, 'kernel_size');
  const dilation = whole(layer, 'dilation');
  const groups = whole(layer, 'groups', 1);
  if (whole(layer, 'strides', 1) !== 1) refuse(layer, 'strides');
  const [kernel, bias] = weightsOf(layer, [2]);
  const weights = {
    kernel: builder.weight(`${name}/kernel`, () => {
      const { shape, data } = arrayOf(kernel, [size, width / groups, outputs], `${name}/kernel`);
      return transposed({ shape: [shape[0]! * shape[1]!, outputs], data });
    }),
    bias: vector(layer, 'bias', bias, outputs),
  };
  const attributes = { size, stride: 1, dilation, padding: [(size - 1) * dilation, 0], groups };
  return activate(layer, builder.add('conv1d', name, { x }, attributes, weights).y!, `${name}/activation`);
}

function recurrent(cell: 'lstm' | 'gru'): (layer: Layer) => string {
  return (layer) => {
    const { builder, name, width, x, json } = layer;
    // What is written here was Keras' option; RTNeural computes tanh and the sigmoid whatever it says.
    if (!['', 'tanh', undefined, null].includes(json.activation as string))
      refuse(layer, `activation ${show(json.activation)} inside the cell`, 'RTNeural knows tanh alone there');
    const size = units(layer);
    const order = kerasGates[cell];
    const all = order.length * size;
    const [kernel, recurrentKernel, bias] = weightsOf(layer, [3]);
    const matrix = (role: string, value: unknown, rows: number) =>
      builder.weight(`${name}/${role}`, () => gateMatrix(arrayOf(value, [rows, all], `${name}/${role}`), order, size));
    const biases = (role: string, value: unknown) =>
      builder.weight(`${name}/${role}`, () => gateRows(arrayOf(value, [all], `${name}/${role}`), order, size));
    const both = cell === 'gru' ? pair(bias, all, name) : [bias];
    const weights = {
      W: matrix('W', kernel, width),
      U: matrix('U', recurrentKernel, size),
      b: biases('b', both[0]),
      ...(cell === 'gru' ? { bR: biases('bR', both[1]) } : {}),
    };
    const attributes = { cell, units: size, activation: ['tanh'], recurrentActivation: ['sigmoid'] };
    const after = cell === 'gru' ? { resetAfter: true } : {};
    return builder.add('recurrent', name, { x }, { ...attributes, ...after }, weights).y!;
  };
}

function pair(bias: unknown, all: number, name: string): readonly unknown[] {
  arrayOf(bias, [2, all], `${name}/bias`);
  return bias as readonly unknown[];
}

function prelu(layer: Layer): string {
  const { builder, name, width, x } = layer;
  const [slope] = weightsOf(layer, [1]);
  const weights = { slope: builder.weight(`${name}/slope`, () => flat(arrayOf(slope, [1, width], `${name}/slope`))) };
  return builder.add('prelu', name, { x }, {}, weights).y!;
}

function flat({ data }: PlainArray): PlainArray {
  return { shape: [data.length], data };
}

/** [gamma, beta, mean, variance], or the last two alone. */
function batchNormalization(layer: Layer): string {
  const { builder, name, width, x, json } = layer;
  const arrays = weightsOf(layer, [2, 4]).map((value, i) => arrayOf(value, [width], `${name}/${i}`).data);
  const { epsilon } = json;
  if (typeof epsilon !== 'number')
    fail('FILE_CORRUPT', 'a layer has no "epsilon"', { place: name, found: show(epsilon) });
  const [mean, variance] = arrays.slice(-2) as [Float32Array, Float32Array];
  const [gamma, beta] = arrays.length === 4 ? arrays : [];
  const factor = Array.from(variance, (v, i) => (gamma?.[i] ?? 1) / Math.sqrt(v + epsilon));
  const shift = factor.map((f, i) => (beta?.[i] ?? 0) - mean[i]! * f);
  const weights = {
    scale: builder.weight(`${name}/scale`, () => ({ shape: [width], data: Float32Array.from(factor) })),
    shift: builder.weight(`${name}/shift`, () => ({ shape: [width], data: Float32Array.from(shift) })),
  };
  return builder.add('scaleShift', name, { x }, {}, weights).y!;
}

const readers: Readonly<Record<string, (layer: Layer) => string>> = {
  dense,
  'time-distributed-dense': dense,
  conv1d,
  lstm: recurrent('lstm'),
  gru: recurrent('gru'),
  prelu,
  batchnorm: batchNormalization,
  activation: (layer) => activate(layer, layer.x, layer.name),
};

/**
 * Adds the nodes of a layer; returns its output.
 * @throws MODEL_UNSUPPORTED, MODEL_SHAPE, MODEL_VALUE, FILE_CORRUPT naming the layer
 */
export function readLayer(layer: Layer): string {
  const { type } = layer.json;
  const read = typeof type === 'string' && Object.hasOwn(readers, type) ? readers[type] : undefined;
  return read
    ? read(layer)
    : refuse(layer, 'layers of this type are not known', `known: ${Object.keys(readers).join(', ')}`);
}
