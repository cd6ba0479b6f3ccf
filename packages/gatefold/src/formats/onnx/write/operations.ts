import { type Node, parseActivation, sizeOf } from '@gatefold/runtime';
import { strided } from '../graph/indices.ts';
import { emitFunction } from './functions.ts';
import { integerMatrix, integerProduct } from './integer.ts';
import { matrixTensor, vectorTensor } from './weights.ts';
import { elementTypes, type Writer } from './writer.ts';

/** How each op of the model is written; recurrent nodes have a file of their own. */
type Write = (writer: Writer, node: Node, name: string) => string;

const binaries: Readonly<Record<string, string>> = {
  add: 'Add',
  subtract: 'Sub',
  multiply: 'Mul',
  divide: 'Div',
  maximum: 'Max',
  minimum: 'Min',
};

const x = (writer: Writer, node: Node) => writer.input(node, 'x');
const farBack = -(2 ** 31);

function withBias(writer: Writer, node: Node, name: string, product: (name: string) => string): string {
  const bias = vectorTensor(writer, node, 'bias');
  return bias === undefined ? product(name) : writer.add('Add', name, [product(`${name}/product`), bias]);
}

// The matrix stands as [outputs, inputs], as it is coded, and is transposed by a node: onnxruntime multiplies a matrix that
// comes straight from DequantizeLinear by operands rounded to 8 bits.
const dense: Write = (writer, node, name) =>
  withBias(writer, node, name, (product) => {
    const integer = integerMatrix(writer, node, 'kernel');
    if (integer) return integerProduct(writer, x(writer, node), integer, product);
    const kernel = matrixTensor(writer, node, 'kernel');
    const turned = writer.shared(`${kernel} turned`, () =>
      writer.add('Transpose', `${kernel}/turned`, [kernel], { perm: [1, 0] }),
    );
    return writer.add('MatMul', product, [x(writer, node), turned]);
  });

const embedding: Write = (writer, node, name) => {
  const { shape, dtype } = writer.type(node.inputs.x!);
  let ids = x(writer, node);
  if (dtype !== 'int32') ids = writer.add('Cast', `${name}/ids`, [ids], { to: elementTypes.int64 });
  if (shape.length > 0) ids = writer.add('Squeeze', `${name}/flat`, [ids, writer.ints([-1])]);
  return writer.add('Gather', name, [matrixTensor(writer, node, 'table'), ids], { axis: 0 });
};

/** Windows and pools read channels before time. */
function channelsFirst(writer: Writer, node: Node, name: string, make: (input: string) => string): string {
  const turned = writer.add('Transpose', `${name}/channels`, [x(writer, node)], { perm: [0, 2, 1] });
  return writer.add('Transpose', name, [make(turned)], { perm: [0, 2, 1] });
}

function windowAttributes({ attributes }: Node) {
  const [left = 0, right = 0] = (attributes.padding ?? []) as number[];
  return { kernel_shape: [Number(attributes.size)], strides: [Number(attributes.stride ?? 1)], pads: [left, right] };
}

const conv1d: Write = (writer, node, name) => {
  const size = Number(node.attributes.size);
  const groups = Number(node.attributes.groups ?? 1);
  const per = writer.width(node.inputs.x!) / groups;
  // Ours are tap-major: column (input, tap) of the file is column tap·inputs + input.
  const columns = Array.from({ length: size * per }, (_, i) => (i % size) * per + Math.floor(i / size));
  return channelsFirst(writer, node, name, (input) => {
    const bias = vectorTensor(writer, node, 'bias');
    const kernel = matrixTensor(writer, node, 'kernel', { columns, tail: [per, size] });
    return writer.add('Conv', `${name}/conv`, [input, kernel, ...(bias ? [bias] : [])], {
      ...windowAttributes(node),
      dilations: [Number(node.attributes.dilation ?? 1)],
      group: groups,
    });
  });
};

const pool: Write = (writer, node, name) =>
  channelsFirst(writer, node, name, (input) =>
    node.attributes.function === 'max'
      ? writer.add('MaxPool', `${name}/pool`, [input], windowAttributes(node))
      : writer.add('AveragePool', `${name}/pool`, [input], { ...windowAttributes(node), count_include_pad: 0 }),
  );

const unary: Write = (writer, node, name) =>
  emitFunction(writer, name, parseActivation(node.attributes.function)!, x(writer, node));

const binary: Write = (writer, node, name) =>
  writer.add(binaries[String(node.attributes.function)]!, name, [writer.input(node, 'a'), writer.input(node, 'b')]);

const scaleShift: Write = (writer, node, name) => scaled(writer, node, name, x(writer, node), 'scale', 'shift');

function scaled(writer: Writer, node: Node, name: string, from: string, scale: string, shift: string): string {
  const factor = vectorTensor(writer, node, scale);
  const term = vectorTensor(writer, node, shift);
  let at = from;
  if (factor) at = writer.add('Mul', term ? `${name}/scaled` : name, [at, factor]);
  if (term) at = writer.add('Add', name, [at, term]);
  return at;
}

const normalization: Write = (writer, node, name) => {
  const from = x(writer, node);
  const epsilon = Number(node.attributes.epsilon);
  const width = writer.width(node.inputs.x!);
  if (node.attributes.kind === 'layer') {
    const ones = () => writer.floats(`ones ${width}`, [width], new Float32Array(width).fill(1));
    const beta = vectorTensor(writer, node, 'beta');
    const inputs = [from, vectorTensor(writer, node, 'gamma') ?? ones(), ...(beta ? [beta] : [])];
    return writer.add('LayerNormalization', name, inputs, { axis: -1, epsilon: { float: epsilon } });
  }
  const square = writer.add('Mul', `${name}/square`, [from, from]);
  const under =
    node.attributes.kind === 'rms'
      ? writer.add('Add', `${name}/under`, [
          writer.reduce('ReduceMean', `${name}/mean`, square, -1, true),
          writer.number(epsilon),
        ])
      : writer.add('Max', `${name}/under`, [
          writer.reduce('ReduceSum', `${name}/sum`, square, -1, true),
          writer.number(epsilon),
        ]);
  const unit = writer.add('Div', `${name}/unit`, [from, writer.add('Sqrt', `${name}/root`, [under])]);
  return scaled(writer, node, name, unit, 'gamma', 'beta');
};

const mask: Write = (writer, node, name) => {
  const odd = writer.add('Not', `${name}/odd`, [
    writer.add('Equal', `${name}/same`, [x(writer, node), writer.number(Number(node.attributes.value))]),
  ]);
  const truth = writer.add('Cast', `${name}/truth`, [odd], { to: elementTypes.float });
  if (writer.type(node.inputs.x!).shape.length === 0) return writer.add('Unsqueeze', name, [truth, writer.ints([-1])]);
  return writer.reduce('ReduceMax', name, truth, -1, true);
};

const applyMask: Write = (writer, node, name) => {
  const kept = writer.add('Cast', `${name}/kept`, [writer.input(node, 'mask')], { to: elementTypes.bool });
  return writer.add('Where', name, [kept, x(writer, node), writer.number(0)]);
};

const reduceTime: Write = (writer, node, name) => {
  if (node.inputs.mask !== undefined) writer.refuse(node, 'has no masks over time', 'remove the masking layer');
  const kind = node.attributes.function;
  const op = kind === 'sum' ? 'ReduceSum' : kind === 'max' ? 'ReduceMax' : 'ReduceMean';
  return writer.reduce(op, name, x(writer, node), 1, false);
};

const concat: Write = (writer, node, name) => {
  const parts: string[] = [];
  for (let i = 0; node.inputs[i] !== undefined; i++) parts.push(writer.input(node, String(i)));
  return writer.add('Concat', name, parts, { axis: -1 });
};

const slice: Write = (writer, node, name) => {
  const { from = 0, to } = node.attributes;
  const end = Number(to ?? writer.width(node.inputs.x!));
  return writer.add('Slice', name, [
    x(writer, node),
    writer.ints([Number(from)]),
    writer.ints([end]),
    writer.ints([-1]),
  ]);
};

const view: Write = (writer, node, name) => {
  const { offset = 0, sizes, strides } = node.attributes;
  const { indices } = strided(sizes as number[], strides as number[], Number(offset));
  const places = writer.shared(`places ${JSON.stringify([offset, sizes, strides])}`, () => writer.ints([...indices]));
  return writer.add('Gather', name, [x(writer, node), places], { axis: -1 });
};

/** Zeros in a shape keep batch and time as they are. */
function kept(writer: Writer, node: Node): number[] {
  return writer.timed(node.inputs.x!) ? [0, 0] : [0];
}

const reduceFeatures: Write = (writer, node, name) => {
  const width = writer.width(node.inputs.x!);
  const size = Number(node.attributes.size ?? width);
  const groups = writer.add('Reshape', `${name}/groups`, [
    x(writer, node),
    writer.ints([...kept(writer, node), size, width / size]),
  ]);
  return writer.reduce(node.attributes.function === 'max' ? 'ReduceMax' : 'ReduceMean', name, groups, -2, false);
};

const reshape: Write = (writer, node, name) => {
  const shape = node.attributes.shape as number[];
  const lead = node.attributes.keepTime === true ? kept(writer, node) : [0];
  return writer.add('Reshape', name, [x(writer, node), writer.ints([...lead, ...shape])]);
};

const repeat: Write = (writer, node, name) => {
  const times = Number(node.attributes.times);
  const timed = writer.timed(node.inputs.x!);
  const apart = writer.add('Unsqueeze', `${name}/apart`, [x(writer, node), writer.ints([timed ? 2 : 1])]);
  if (!timed) return writer.add('Tile', name, [apart, writer.ints([1, times, 1])]);
  const tiled = writer.add('Tile', `${name}/tiled`, [apart, writer.ints([1, 1, times, 1])]);
  return writer.add('Reshape', name, [tiled, writer.ints([0, -1, writer.width(node.inputs.x!)])]);
};

const pad: Write = (writer, node, name) => {
  const { left = 0, right = 0 } = node.attributes;
  return writer.add('Pad', name, [x(writer, node), writer.ints([0, Number(left), 0, 0, Number(right), 0])]);
};

/** A row for each batch element: the batch is read off an input. */
const constant: Write = (writer, node, name) => {
  const value = vectorTensor(writer, node, 'value')!;
  const shape = writer.add('Shape', `${name}/shape`, [writer.firstInput()]);
  const batch = writer.add('Gather', `${name}/batch`, [shape, writer.ints([0])], { axis: 0 });
  const width = sizeOf(writer.type(node.outputs.y!).shape);
  return writer.add('Expand', name, [
    value,
    writer.add('Concat', `${name}/dims`, [batch, writer.ints([width])], { axis: 0 }),
  ]);
};

export const operations: Readonly<Record<string, Write>> = {
  dense,
  embedding,
  conv1d,
  pool,
  unary,
  binary,
  scaleShift,
  prelu: (writer, node, name) => writer.add('PRelu', name, [x(writer, node), vectorTensor(writer, node, 'slope')!]),
  softmax: (writer, node, name) => writer.add('Softmax', name, [x(writer, node)], { axis: -1 }),
  normalization,
  mask,
  applyMask,
  last: (writer, node, name) => writer.add('Gather', name, [x(writer, node), writer.int(-1)], { axis: 1 }),
  reverse: (writer, node, name) =>
    writer.add('Slice', name, [x(writer, node), ...[-1, farBack, 1, -1].map((n) => writer.ints([n]))]),
  reduceTime,
  concat,
  slice,
  view,
  reduceFeatures,
  reshape,
  transpose: (writer, node, name) => writer.add('Transpose', name, [x(writer, node)], { perm: [0, 2, 1] }),
  repeat,
  pad,
  constant,
};
