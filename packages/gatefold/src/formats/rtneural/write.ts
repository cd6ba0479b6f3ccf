import { type Activation, decode, type Model, type Node, parseActivation } from '@gatefold/runtime';
import { kerasGates } from '../gates.ts';
import { transposed } from '../keras/layer.ts';
import type { WrittenModel } from '../types.ts';
import { chainOf, refuse } from './written-chain.ts';

type Json = Readonly<Record<string, unknown>>;

/** Widths beyond this are not scaled by a matrix. */
const widestScaled = 256;

/**
 * Writes a chain of layers as RTNeural's JSON, with the skip and gains of AIDA-X where the model has them.
 * @throws MODEL_UNSUPPORTED naming the node that RTNeural has no layer for
 */
export async function writeRtneural(model: Model): Promise<WrittenModel> {
  const writer = new LayerWriter(model);
  const { nodes, width, skip, before, after } = chainOf(model);
  const layers = writer.layers(nodes, width);
  if (skip || before !== 1 || after !== 1)
    writer.notes.add('in_skip, in_gain and out_gain are of AIDA-X: RTNeural itself passes over them');
  const rate = model.metadata.sampleRate;
  const file = {
    in_shape: [null, null, width],
    ...(skip ? { in_skip: 1 } : {}),
    ...(before === 1 ? {} : { in_gain: decibels(before) }),
    ...(after === 1 ? {} : { out_gain: decibels(after) }),
    layers,
    ...(typeof rate === 'number' ? { samplerate: rate } : {}),
  };
  return { bytes: new TextEncoder().encode(JSON.stringify(file)), notes: [...writer.notes] };
}

function decibels(gain: number): number {
  return 20 * Math.log10(gain);
}

/** RTNeural's name of a function, where it has one without options. */
function nameOf(node: Node | undefined): string | undefined {
  if (node?.op === 'softmax') return 'softmax';
  if (node?.op !== 'unary') return undefined;
  const [name, ...numbers] = parseActivation(node.attributes.function)!;
  if (name === 'tanh' || name === 'sigmoid') return name;
  const defaults = { relu: [0, Number.POSITIVE_INFINITY, 0], elu: [1] };
  if (name !== 'relu' && name !== 'elu') return undefined;
  return numbers.every((n, i) => n === defaults[name][i]) ? name : undefined;
}

/** Float32 in as few digits as tell it from its neighbours. */
function digits(value: number): number {
  return Number(value.toPrecision(9));
}

function rows({ shape, data }: { shape: readonly number[]; data: Float32Array }): unknown[] {
  const [first = 0, ...rest] = shape;
  if (rest.length === 0) return Array.from(data, digits);
  const size = data.length / first;
  return Array.from({ length: first }, (_, i) => rows({ shape: rest, data: data.subarray(i * size, (i + 1) * size) }));
}

class LayerWriter {
  readonly notes = new Set<string>();
  private readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }

  layers(nodes: readonly Node[], width: number): Json[] {
    const layers: Json[] = [];
    let features = width;
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i]!;
      const takesActivation = node.op === 'dense' || node.op === 'conv1d';
      const activation = takesActivation ? nameOf(nodes[i + 1]) : undefined;
      if (activation !== undefined) i++;
      const layer = this.layer(node, features);
      if (!layer) continue;
      features = layer.units;
      layers.push({
        type: layer.type,
        activation: layer.activation ?? activation ?? '',
        shape: [null, null, features],
        ...layer.more,
        weights: layer.weights,
      });
    }
    return layers;
  }

  private layer(node: Node, width: number): WrittenLayer | undefined {
    switch (node.op) {
      case 'dense':
        return this.dense(node);
      case 'conv1d':
        return this.conv1d(node, width);
      case 'recurrent':
        return this.recurrent(node);
      case 'prelu':
        return { type: 'prelu', units: width, weights: [[rows(this.weight(node, 'slope')!)]] };
      case 'scaleShift':
        return this.batchNormalization(node, width);
      case 'last':
        this.eachStep();
        return undefined;
      default: {
        const activation = nameOf(node);
        if (activation !== undefined) return { type: 'activation', units: width, activation, weights: [] };
        return scaled(node, width) ?? refuse(node, 'it has no layer for this');
      }
    }
  }

  private weight(node: Node, role: string): { shape: readonly number[]; data: Float32Array } | undefined {
    const name = node.weights[role];
    if (name === undefined) return undefined;
    const weight = this.model.weights[name]!;
    if (weight.encoding.kind !== 'dense' || weight.encoding.type !== 'f32')
      this.notes.add(
        'RTNeural has no encoding of ours: compressed weights are written as the float32 values they mean',
      );
    return { shape: weight.shape, data: decode(weight) };
  }

  /** RTNeural runs step by step and gives what it has at each. */
  private eachStep(): void {
    this.notes.add('RTNeural gives an output at every step; the last one is that of the model');
  }

  private dense(node: Node): WrittenLayer {
    const kernel = transposed(this.weight(node, 'kernel')!);
    const bias = this.weight(node, 'bias');
    const units = kernel.shape[1]!;
    return { type: 'dense', units, weights: [rows(kernel), ...(bias ? [rows(bias)] : [])] };
  }

  private conv1d(node: Node, width: number): WrittenLayer {
    const number = (key: string) => Number(node.attributes[key] ?? 1);
    const [size, dilation, groups] = [number('size'), number('dilation'), number('groups')];
    const [left, right] = (node.attributes.padding ?? [0, 0]) as [number, number];
    if (number('stride') !== 1) refuse(node, 'it strides');
    if (left !== (size - 1) * dilation || right !== 0) refuse(node, 'it is not padded by the past alone');
    const stored = this.weight(node, 'kernel')!;
    const units = stored.shape[0]!;
    const kernel = { shape: [size, width / groups, units], data: transposed(stored).data };
    const bias = this.weight(node, 'bias') ?? { shape: [units], data: new Float32Array(units) };
    const more = { kernel_size: [size], dilation: [dilation], ...(groups === 1 ? {} : { groups }) };
    return { type: 'conv1d', units, more, weights: [rows(kernel), rows(bias)] };
  }

  private recurrent(node: Node): WrittenLayer {
    const { attributes, outputs } = node;
    const { cell } = attributes;
    if (cell !== 'lstm' && cell !== 'gru') return refuse(node, `it has no cell "${String(cell)}"`);
    if (cell === 'gru' && attributes.resetAfter !== true) refuse(node, 'its reset gate stands before the product');
    if (attributes.direction === 'backward') refuse(node, 'it runs backward');
    if (attributes.coupled === true || node.weights.P !== undefined || node.weights.R !== undefined)
      refuse(node, 'its cell has more than gates');
    const f = (key: string, otherwise: Activation) => (parseActivation(attributes[key]) ?? otherwise)[0];
    if (f('activation', ['tanh']) !== 'tanh' || f('recurrentActivation', ['sigmoid']) !== 'sigmoid')
      refuse(node, 'its functions are not tanh and the sigmoid');
    if (outputs.y === undefined || outputs.c !== undefined) {
      if (outputs.c !== undefined) refuse(node, 'its cell state is an output');
      this.eachStep();
    }
    const units = Number(attributes.units);
    const order = kerasGates[cell];
    const all = order.length * units;
    const zeros = { shape: [all], data: new Float32Array(all) };
    const vector = (role: string) =>
      matrix({ ...(this.weight(node, role) ?? zeros), shape: [all, 1] }, order, units)[0];
    const bias = cell === 'gru' ? [vector('b'), vector('bR')] : vector('b');
    const weights = [
      matrix(this.weight(node, 'W')!, order, units),
      matrix(this.weight(node, 'U')!, order, units),
      bias,
    ];
    return { type: cell, units, activation: 'tanh', weights };
  }

  private batchNormalization(node: Node, width: number): WrittenLayer {
    const vector = (role: string, otherwise: number) =>
      rows(this.weight(node, role) ?? { shape: [width], data: new Float32Array(width).fill(otherwise) });
    const [zeros, ones] = [0, 1].map((value) => Array.from({ length: width }, () => value));
    const weights = [vector('scale', 1), vector('shift', 0), zeros, ones];
    return { type: 'batchnorm', units: width, more: { epsilon: 0 }, weights };
  }
}

interface WrittenLayer {
  readonly type: string;
  readonly units: number;
  readonly activation?: string;
  readonly more?: Json;
  readonly weights: readonly unknown[];
}

/** a·x + b as a dense layer. */
function scaled(node: Node, width: number): WrittenLayer | undefined {
  const f = node.op === 'unary' ? parseActivation(node.attributes.function) : undefined;
  const known = { affine: [f?.[1] ?? 1, f?.[2] ?? 0], negate: [-1, 0], oneMinus: [-1, 1] };
  const name = f?.[0];
  if ((name !== 'affine' && name !== 'negate' && name !== 'oneMinus') || width > widestScaled) return undefined;
  const [a, b] = known[name];
  const kernel = Array.from({ length: width }, (_, i) => Array.from({ length: width }, (_, j) => (i === j ? a : 0)));
  return { type: 'dense', units: width, weights: [kernel, Array.from({ length: width }, () => b)] };
}

/** Our [gates·units, inputs] as the file's [inputs][gates·units]. */
function matrix(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  order: readonly number[],
  units: number,
): number[][] {
  const [all, inputs] = shape as [number, number];
  return Array.from({ length: inputs }, (_, i) => {
    const row = Array.from({ length: all }, () => 0);
    for (const [gate, to] of order.entries())
      for (let u = 0; u < units; u++) row[to * units + u] = digits(data[(gate * units + u) * inputs + i]!);
    return row;
  });
}
