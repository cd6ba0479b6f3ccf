import { decode, type Weight } from '../../encodings/index.ts';
import type { Node } from '../../model/index.ts';
import { roundUp } from '../../tensor/index.ts';
import type { Builder, Vector } from '../builder.ts';
import { emitLinear } from '../linear.ts';
import { emitBinary } from './elementwise.ts';

function emitDense(builder: Builder, node: Node, weight: Weight, src: Vector): void {
  const { type, vector } = builder.output(node, 'y')!;
  const rows = weight.shape[0]!;
  emitLinear(builder, {
    weight,
    name: node.weights.kernel!,
    place: `${node.name}/kernel`,
    src,
    dst: vector,
    time: type.time,
    blockRows: rows,
    first: 0,
    count: 1,
    bias: builder.packedVector(node, 'bias', rows),
  });
}

function lowerDense(builder: Builder, node: Node): void {
  emitDense(builder, node, builder.weight(node, 'kernel')!, builder.input(node, 'x').vector);
}

/** Lays the windows of x side by side; the stream keeps the rows that later windows reach back to. */
export function emitUnfold(builder: Builder, node: Node): { vector: Vector; time: number } {
  const { type, vector } = builder.input(node, 'x');
  const { time } = builder.output(node, 'y')!.type;
  const size = Number(node.attributes.size);
  const dilation = Number(node.attributes.dilation ?? 1);
  const dst = builder.vector(time, size * vector.width);
  builder.emit('unfold', {
    outRows: { rowsOf: time },
    inRows: { rowsOf: type.time },
    first: { firstOf: time },
    src: { ref: vector.ref },
    dst: { ref: dst.ref },
    state: { state: builder.state((size - 1) * dilation * vector.width) },
    n: { value: vector.width },
    size: { value: size },
    dilation: { value: dilation },
    stride: { value: Number(node.attributes.stride ?? 1) },
  });
  return { vector: dst, time };
}

/** A grouped kernel as the dense one it means: zeros between groups. Keeps symmetric integer codes as they are. */
function ungroup(weight: Weight, size: number, features: number, groups: number): Weight {
  if (groups === 1) return weight;
  const outputs = weight.shape[0]!;
  const per = features / groups;
  const spread = <T extends Float32Array | Int8Array>(from: ArrayLike<number>, to: T): T => {
    for (let o = 0; o < outputs; o++) {
      const group = Math.floor(o / (outputs / groups));
      for (let tap = 0; tap < size; tap++) {
        for (let i = 0; i < per; i++) {
          to[(o * size + tap) * features + group * per + i] = from[(o * size + tap) * per + i]!;
        }
      }
    }
    return to;
  };
  const count = outputs * size * features;
  const { encoding, input } = weight;
  const shape = [outputs, size * features];
  if (encoding.kind === 'affine' && encoding.bits <= 8 && !encoding.offsets) {
    return { shape, input, encoding: { ...encoding, codes: spread(encoding.codes, new Int8Array(count)) } };
  }
  const values = spread(decode(weight), new Float32Array(count));
  return { shape, input: { kind: 'f32' }, encoding: { kind: 'dense', type: 'f32', values } };
}

function lowerConv1d(builder: Builder, node: Node): void {
  const features = builder.input(node, 'x').vector.width;
  const groups = Number(node.attributes.groups ?? 1);
  const weight = ungroup(builder.weight(node, 'kernel')!, Number(node.attributes.size), features, groups);
  emitDense(builder, node, weight, emitUnfold(builder, node).vector);
}

function lowerEmbedding(builder: Builder, node: Node): void {
  const weight = builder.weight(node, 'table')!;
  const name = node.weights.table!;
  const { type, vector } = builder.output(node, 'y')!;
  const [vocabulary, width] = weight.shape as [number, number];
  const { encoding } = weight;
  const common = {
    rows: builder.rows(type.time),
    src: { ref: builder.input(node, 'x').vector.ref },
    dst: { ref: vector.ref },
    n: { value: width },
    vocabulary: { value: vocabulary },
  };
  if (encoding.kind === 'affine' && encoding.bits <= 8) {
    const stride = roundUp(width, 16);
    const { codes, scales, offsets, rowsPerGroup } = encoding;
    const spread = (values: Float32Array) => () =>
      Float32Array.from({ length: vocabulary }, (_, row) => values[Math.floor(row / rowsPerGroup)]!);
    const table = () => {
      const out = new Int8Array(vocabulary * stride);
      for (let i = 0; i < codes.length; i++) out[Math.floor(i / width) * stride + (i % width)] = codes[i]!;
      return out;
    };
    builder.emit('embed', {
      ...common,
      table: { addr: builder.constants.once(`${name}|embed8`, table) },
      stride: { value: stride },
      scales: { addr: builder.constants.once(`${name}|embedScales`, spread(scales)) },
      offsets: offsets && { addr: builder.constants.once(`${name}|embedOffsets`, spread(offsets)) },
    });
    return;
  }
  const stride = roundUp(width, 16);
  const table = () => {
    const values = decode(weight);
    const out = new Float32Array(vocabulary * stride);
    for (let i = 0; i < values.length; i++) out[Math.floor(i / width) * stride + (i % width)] = values[i]!;
    return out;
  };
  builder.emit('embed', {
    ...common,
    table: { addr: builder.constants.once(`${name}|embed`, table) },
    stride: { value: stride * 4 },
    scales: undefined,
    offsets: undefined,
  });
}

function lowerConstant(builder: Builder, node: Node): void {
  const { type, vector } = builder.output(node, 'y')!;
  const rows = builder.rows(type.time);
  const n = { value: vector.width };
  builder.emit('fill', { rows, dst: { ref: vector.ref }, n, value: { value: 0 } });
  emitBinary(
    builder,
    type.time,
    'add',
    { ref: vector.ref },
    { constant: builder.packedVector(node, 'value')! },
    vector,
  );
}

export const linearLowerings = {
  dense: lowerDense,
  constant: lowerConstant,
  conv1d: lowerConv1d,
  embedding: lowerEmbedding,
};
