import { type Call, floatsOf, matrixWeight } from '../graph/call.ts';
import { type Constant, feature, isFeature, showTensor, type Tensor, type Value } from '../graph/tensor.ts';
import { featuresOf, renamed, rowOf } from '../graph/views.ts';
import { applyFunction, combine, scaleOrShift } from './elementwise.ts';
import { joinValues } from './join.ts';
import type { Handler } from './types.ts';

/** Products of the same matrix along an axis are nodes of their own: this many at most. */
const mostPositions = 256;

/** Matrix [inputs, outputs] (or transposed) as a kernel [outputs, inputs]. */
function kernelOf(call: Call, w: Constant, transposed: boolean): { weight: string; inputs: number; outputs: number } {
  if (w.shape.length !== 2) call.refuse('multiplies by a constant that is no matrix', { found: showTensor(w) });
  const [rows, columns] = w.shape as [number, number];
  const inputs = transposed ? columns : rows;
  const outputs = transposed ? rows : columns;
  const weight = matrixWeight(call, w, 'kernel', transposed ? 'rows' : 'columns', [outputs, inputs], (data) => {
    if (transposed) return data.slice();
    const out = new Float32Array(data.length);
    for (let i = 0; i < inputs; i++) for (let o = 0; o < outputs; o++) out[o * inputs + i] = data[i * outputs + o]!;
    return out;
  });
  return { weight, inputs, outputs };
}

/** A product over the features of the last axis, for every place of the other axes of features. */
function denseAlong(call: Call, x: Value, weights: Readonly<Record<string, string>>, outputs: number): Value {
  const last = x.axes.length - 1;
  const other = x.axes.findIndex((axis, i) => i !== last && isFeature(axis) && axis.size > 1);
  if (other < 0) {
    const row = rowOf(call, x);
    return {
      ...renamed(row, call.add('dense', { x: row.name }, {}, weights)),
      axes: row.axes.map((axis, i) => (i === last ? feature(outputs, 1) : axis)),
    };
  }
  const axis = featuresOf({ axes: [x.axes[other]!] })[0]!;
  if (axis.size > mostPositions)
    call.refuse('multiplies at too many places', { found: showTensor(x), expected: `at most ${mostPositions}` });
  const parts = Array.from({ length: axis.size }, (_, i) =>
    denseAlong(
      call,
      { ...x, offset: x.offset + i * axis.stride, axes: x.axes.map((old, k) => (k === other ? feature(1) : old)) },
      weights,
      outputs,
    ),
  );
  return joinValues(
    call,
    parts,
    parts.map(() => 1),
    other,
  );
}

function product(call: Call, x: Value, w: Constant, transposed: boolean): Value {
  const last = x.axes.at(-1);
  const { weight, inputs, outputs } = kernelOf(call, w, transposed);
  if (!last || !isFeature(last)) {
    return call.refuse('multiplies along batch or time', {
      found: showTensor(x),
      hint: 'only products along features have a meaning',
    });
  }
  if (last.size !== inputs)
    call.fail('MODEL_SHAPE', 'its matrix does not fit', { expected: `${last.size} inputs`, found: `[${w.shape}]` });
  const out = denseAlong(call, x, { kernel: weight }, outputs);
  call.reading.noteProduct(call.node.output[0] ?? '', out.name);
  return out;
}

function matmul(call: Call): Tensor[] {
  const [a, b] = [call.input(0), call.input(1)];
  if (a.kind === 'value' && b.kind === 'constant') return [product(call, a, b, false)];
  return call.refuse(a.kind === 'value' ? 'multiplies two values' : 'multiplies a constant by a value', {
    found: `${showTensor(a)} and ${showTensor(b)}`,
    hint: 'attention and the like have no meaning here yet',
  });
}

/** alpha·x·W + beta·C. */
function gemm(call: Call): Tensor[] {
  const x = call.value(0);
  if (call.int('transA', 0) !== 0) call.refuse('multiplies the transposed value');
  const w = call.constant(1, 'matrix');
  const alpha = call.float('alpha', 1);
  const beta = call.float('beta', 1);
  let y = product(call, x, w, call.int('transB', 0) !== 0);
  if (alpha !== 1) y = applyFunction(call, y, ['affine', alpha, 0], '/alpha');
  const c = call.inputs[2];
  if (!c) return [y];
  if (c.kind === 'fill') return call.refuse('adds a tensor of unknown length');
  if (c.kind === 'value')
    return [combine(call, 'add', y, beta === 1 ? c : applyFunction(call, c, ['affine', beta, 0], '/beta'), '/add')];
  const scaled = beta === 1 ? c : { ...c, data: floatsOf(call, c, 'bias').map((n) => n * beta) };
  const noted = call.reading.products.get(call.node.output[0] ?? '');
  const lies =
    scaled.shape.every((n, i) => i === scaled.shape.length - 1 || n === 1) &&
    scaled.shape.at(-1) === (y.axes.at(-1) as { size: number }).size;
  if (alpha === 1 && lies && noted?.value === y.name) {
    const numbers = floatsOf(call, scaled, 'bias');
    const bias = call.weight(scaled, 'bias', 'none', [numbers.length], () => numbers.slice());
    call.reading.addBias(noted, bias);
    return [y];
  }
  return [scaleOrShift(call, y, 'shift', scaled)];
}

export const linearHandlers: Readonly<Record<string, Handler>> = {
  MatMul: { attributes: [], run: matmul },
  Gemm: { attributes: ['alpha', 'beta', 'transA', 'transB'], run: gemm },
};
