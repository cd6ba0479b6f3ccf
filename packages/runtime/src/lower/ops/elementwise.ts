import { binaryFunctions, type Node, normalizationKinds } from '../../model/index.ts';
import { type Activation, functionNumber, functionParameters, parseActivation } from '../../numerics/activation.ts';
import type { Builder, Vector } from '../builder.ts';
import type { Operand } from '../program.ts';

export function emitCopy(builder: Builder, time: number, src: Vector, dst: Vector): void {
  builder.emit('copy', {
    rows: builder.rows(time),
    src: { ref: src.ref },
    dst: { ref: dst.ref },
    n: { value: src.width },
  });
}

export function emitUnary(builder: Builder, time: number, activation: Activation, src: Vector, dst: Vector): void {
  const [p0 = 0, p1 = 0, p2 = 0] = functionParameters(activation);
  builder.emit('unary', {
    rows: builder.rows(time),
    src: { ref: src.ref },
    dst: { ref: dst.ref },
    n: { value: src.width },
    function: { value: functionNumber(activation[0]) },
    p0: { value: p0 },
    p1: { value: p1 },
    p2: { value: p2 },
  });
}

export function emitBinary(
  builder: Builder,
  time: number,
  name: (typeof binaryFunctions)[number],
  a: Operand,
  b: Operand,
  dst: Vector,
): void {
  builder.emit('binary', {
    rows: builder.rows(time),
    a,
    b,
    dst: { ref: dst.ref },
    n: { value: dst.width },
    function: { value: binaryFunctions.indexOf(name) },
  });
}

function lowerUnary(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  emitUnary(builder, type.time, parseActivation(node.attributes.function)!, vector, builder.output(node, 'y')!.vector);
}

function lowerBinary(builder: Builder, node: Node): void {
  const a = builder.input(node, 'a');
  const b = builder.input(node, 'b');
  const name = node.attributes.function as (typeof binaryFunctions)[number];
  const dst = builder.output(node, 'y')!;
  emitBinary(builder, dst.type.time, name, { ref: a.vector.ref }, { ref: b.vector.ref }, dst.vector);
}

function lowerScaleShift(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  const dst = builder.output(node, 'y')!.vector;
  const scale = builder.packedVector(node, 'scale');
  const shift = builder.packedVector(node, 'shift');
  let src = vector;
  if (scale !== undefined) {
    emitBinary(builder, type.time, 'multiply', { ref: src.ref }, { constant: scale }, dst);
    src = dst;
  }
  if (shift !== undefined) {
    emitBinary(builder, type.time, 'add', { ref: src.ref }, { constant: shift }, dst);
    src = dst;
  }
  if (src === vector) emitCopy(builder, type.time, vector, dst);
}

/** An instruction of one row operand, its width and a few literals. */
function lowerRow(
  op: 'softmax' | 'mask' | 'prelu' | 'normalize',
  literals: (builder: Builder, node: Node) => Record<string, Operand>,
) {
  return (builder: Builder, node: Node): void => {
    const { type, vector } = builder.input(node, 'x');
    builder.emit(op, {
      rows: builder.rows(type.time),
      src: { ref: vector.ref },
      dst: { ref: builder.output(node, 'y')!.vector.ref },
      n: { value: vector.width },
      ...literals(builder, node),
    });
  };
}

const vectorOperand = (builder: Builder, node: Node, role: string): Operand => {
  const addr = builder.packedVector(node, role);
  return addr === undefined ? undefined : { addr };
};

function lowerApplyMask(builder: Builder, node: Node): void {
  const { type, vector } = builder.input(node, 'x');
  builder.emit('select', {
    rows: builder.rows(type.time),
    mask: { ref: builder.input(node, 'mask').vector.ref },
    a: { ref: vector.ref },
    b: undefined,
    dst: { ref: builder.output(node, 'y')!.vector.ref },
    n: { value: vector.width },
  });
}

export const elementwiseLowerings = {
  unary: lowerUnary,
  binary: lowerBinary,
  scaleShift: lowerScaleShift,
  softmax: lowerRow('softmax', () => ({})),
  mask: lowerRow('mask', (_, node) => ({ value: { value: Number(node.attributes.value) } })),
  prelu: lowerRow('prelu', (builder, node) => ({ slope: vectorOperand(builder, node, 'slope') })),
  normalization: lowerRow('normalize', (builder, node) => ({
    kind: { value: normalizationKinds.indexOf(node.attributes.kind as (typeof normalizationKinds)[number]) },
    epsilon: { value: Number(node.attributes.epsilon) },
    gamma: vectorOperand(builder, node, 'gamma'),
    beta: vectorOperand(builder, node, 'beta'),
  })),
  applyMask: lowerApplyMask,
};
