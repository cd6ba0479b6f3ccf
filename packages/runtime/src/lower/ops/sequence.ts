import { type Node, reduceFunctions } from '../../model/index.ts';
import { roundUp, sizeOf } from '../../tensor/index.ts';
import type { Builder, Vector } from '../builder.ts';
import { emitCopy } from './elementwise.ts';
import { emitUnfold } from './linear.ts';

interface Pick {
  origin: number;
  step: number;
  divide?: number;
  fromEnd?: boolean;
}

function lowerPick(pick: (node: Node) => Pick) {
  return (builder: Builder, node: Node): void => {
    const { type, vector } = builder.input(node, 'x');
    const out = builder.output(node, 'y')!;
    const { origin, step, divide = 1, fromEnd = false } = pick(node);
    builder.emit('pick', {
      outRows: { rowsOf: out.type.time },
      inRows: { rowsOf: type.time },
      src: { ref: vector.ref },
      dst: { ref: out.vector.ref },
      n: { value: vector.width },
      origin: { value: origin },
      step: { value: step },
      divide: { value: divide },
      fromEnd: { value: fromEnd ? 1 : 0 },
    });
  };
}

function lowerRepeat(builder: Builder, node: Node): void {
  const { type } = builder.input(node, 'x');
  const times = Number(node.attributes.times);
  // One vector has one row: every output row is row 0. A sequence repeats each of its rows.
  const single =
    builder.analysis.times[type.time]!.kind === 'none' || builder.analysis.times[type.time]!.kind === 'last';
  lowerPick(() => (single ? { origin: 0, step: 0 } : { origin: 0, step: 1, divide: times }))(builder, node);
}

function lowerPool(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  const out = builder.output(node, 'y')!;
  const fn = { value: node.attributes.function === 'max' ? 0 : 1 };
  const size = { value: Number(node.attributes.size) };
  const [left = 0, right = 0] = (node.attributes.padding ?? []) as number[];
  if (left === 0 && right === 0) {
    const taps = emitUnfold(builder, node);
    builder.emit('reduceTaps', {
      rows: builder.rows(taps.time),
      src: { ref: taps.vector.ref },
      dst: { ref: out.vector.ref },
      n: { value: vector.width },
      size,
      function: fn,
    });
    return;
  }
  builder.emit('pool', {
    outRows: { rowsOf: out.type.time },
    inRows: { rowsOf: type.time },
    src: { ref: vector.ref },
    dst: { ref: out.vector.ref },
    n: { value: vector.width },
    size,
    stride: { value: Number(node.attributes.stride ?? 1) },
    left: { value: left },
    function: fn,
  });
}

function lowerReduceTime(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  builder.emit('reduceTime', {
    inRows: { rowsOf: type.time },
    src: { ref: vector.ref },
    mask: node.inputs.mask === undefined ? undefined : { ref: builder.input(node, 'mask').vector.ref },
    dst: { ref: builder.output(node, 'y')!.vector.ref },
    n: { value: vector.width },
    function: { value: reduceFunctions.indexOf(node.attributes.function as (typeof reduceFunctions)[number]) },
  });
}

function lowerConcat(builder: Builder, node: Node): void {
  const { type, vector } = builder.output(node, 'y')!;
  let offset = 0;
  for (let i = 0; node.inputs[i] !== undefined; i++) {
    const part = builder.input(node, String(i)).vector;
    emitCopy(builder, type.time, part, { ref: { ...vector.ref, offset }, width: part.width });
    offset += part.width;
  }
}

function lowerSlice(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  const dst = builder.output(node, 'y')!.vector;
  const src: Vector = { ref: { ...vector.ref, offset: Number(node.attributes.from ?? 0) }, width: dst.width };
  emitCopy(builder, type.time, src, dst);
}

/** The index of every element of a strided view, row-major over its sizes. */
function viewIndices(offset: number, sizes: readonly number[], strides: readonly number[]): Int32Array {
  let indices = Int32Array.of(offset);
  for (let k = 0; k < sizes.length; k++) {
    const size = sizes[k]!;
    const next = new Int32Array(indices.length * size);
    for (let i = 0; i < next.length; i++) next[i] = indices[Math.floor(i / size)]! + (i % size) * strides[k]!;
    indices = next;
  }
  return indices;
}

function lowerView(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  const dst = builder.output(node, 'y')!.vector;
  const { offset = 0, sizes, strides } = node.attributes;
  const key = JSON.stringify(['view', offset, sizes, strides]);
  const indices = () => viewIndices(Number(offset), sizes as number[], strides as number[]);
  builder.emit('gather', {
    rows: builder.rows(type.time),
    src: { ref: vector.ref },
    dst: { ref: dst.ref },
    n: { value: dst.width },
    indices: { addr: builder.constants.once(key, indices) },
  });
}

function lowerReduceFeatures(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  const dst = builder.output(node, 'y')!.vector;
  const size = vector.width / dst.width;
  // The kernel reads four floats at each tap: the last of them must still lie in the row.
  const read = (size - 1) * dst.width + roundUp(dst.width, 4);
  const src = read <= roundUp(vector.width, 16) ? vector : builder.vector(type.time, read);
  if (src !== vector) emitCopy(builder, type.time, vector, { ref: src.ref, width: vector.width });
  builder.emit('reduceTaps', {
    rows: builder.rows(type.time),
    src: { ref: src.ref },
    dst: { ref: dst.ref },
    n: { value: dst.width },
    size: { value: size },
    function: { value: node.attributes.function === 'max' ? 0 : 1 },
  });
}

function lowerReshape(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  const out = builder.output(node, 'y')!;
  if (node.attributes.keepTime === true) {
    emitCopy(builder, type.time, vector, out.vector);
    return;
  }
  builder.emit('reshape', {
    inRows: { rowsOf: type.time },
    outRows: { rowsOf: out.type.time },
    src: { ref: vector.ref },
    dst: { ref: out.vector.ref },
    nIn: { value: vector.width },
    nOut: { value: sizeOf(out.type.shape) },
  });
}

function lowerTranspose(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  builder.emit('transpose', {
    inRows: { rowsOf: type.time },
    src: { ref: vector.ref },
    dst: { ref: builder.output(node, 'y')!.vector.ref },
    n: { value: vector.width },
  });
}

export const sequenceLowerings = {
  last: lowerPick(() => ({ origin: 0, step: 0, fromEnd: true })),
  reverse: lowerPick(() => ({ origin: 0, step: -1, fromEnd: true })),
  pad: lowerPick((node) => ({ origin: -Number(node.attributes.left ?? 0), step: 1 })),
  repeat: lowerRepeat,
  pool: lowerPool,
  reduceTime: lowerReduceTime,
  concat: lowerConcat,
  slice: lowerSlice,
  view: lowerView,
  reduceFeatures: lowerReduceFeatures,
  reshape: lowerReshape,
  transpose: lowerTranspose,
};
