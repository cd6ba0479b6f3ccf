import type { Model, Node } from '@gatefold/runtime';
import type { Backend, Matrix } from '../backend/types.ts';
import type { Tape, Var } from '../tape.ts';
import { countedSteps } from './lengths.ts';
import type { TrainContext, Value } from './types.ts';

/** Share of the newest batch in the running statistics. */
const newest = 0.1;

/** Whether a node's weights hold statistics (batch normalization, Ioffe & Szegedy 2015): they follow the data. */
export function holdsStatistics({ op, attributes }: Node): boolean {
  return op === 'scaleShift' && attributes.epsilon !== undefined;
}

/** Names of the weights that do. */
export function statisticsOf({ graphs }: Model): Set<string> {
  const nodes = Object.values(graphs).flatMap((graph) => graph.nodes);
  return new Set(nodes.filter(holdsStatistics).flatMap(({ weights }) => Object.values(weights)));
}

/** (x − mean)/√(variance + epsilon) of the batch's own rows; padding does not count. The running statistics follow. */
export function standardize(context: TrainContext, x: Value, epsilon: number): Value {
  const { tape, weight } = context;
  const { backend } = tape;
  const { rows, cols } = x.v.value;
  const counted = countedSteps(context, x, undefined);
  const count = x.lengths ? x.lengths.reduce((a, b) => a + b, 0) : rows;
  const shares = backend.alloc(rows, 1);
  if (counted) backend.scaled(1 / count, counted, shares, false);
  else backend.fill(shares, 1 / count);
  const mean = backend.alloc(1, cols);
  backend.gemm(shares, true, x.v.value, false, mean, false);
  const y = tape.result(rows, cols, x.v);
  backend.binary('subtract', x.v.value, { ...mean, rows, stride: 0 }, y.value, false);
  const variance = backend.alloc(1, cols);
  const inverse = backend.alloc(1, cols);
  const mark = backend.mark();
  const square = backend.alloc(rows, cols);
  backend.binary('multiply', y.value, y.value, square, false);
  backend.gemm(shares, true, square, false, variance, false);
  backend.release(mark);
  backend.unary(['affine', 1, epsilon], variance, inverse);
  backend.unary(['sqrt'], inverse, inverse);
  backend.unary(['reciprocal'], inverse, inverse);
  const factors = { ...inverse, rows, stride: 0 };
  backend.binary('multiply', y.value, factors, y.value, false);
  follow(backend, { mean, variance, count, epsilon }, weight('scale')!.value, weight('shift')!.value);
  return { ...x, v: tape.record(y, () => back(tape, x.v, y, shares, factors)) };
}

/** dx ← dx + inverse·(dy − share·(Σdy + y·Σ dy·y)); y and dy are overwritten: whoever used y has been differentiated. */
function back({ backend }: Tape, x: Var, y: Var, shares: Matrix, factors: Matrix): void {
  const { rows, cols } = y.value;
  const dy = y.gradient();
  const sum = (b: Matrix | undefined): Matrix => {
    const m = backend.alloc(1, cols);
    backend.fill(m, 0);
    backend.sumRows(dy, b, m);
    return { ...m, rows, stride: 0 };
  };
  const [product, total] = [sum(y.value), sum(undefined)];
  backend.binary('multiply', y.value, product, y.value, false);
  backend.scaled(1, total, y.value, true);
  backend.scaleRows(y.value, shares, y.value, false);
  backend.binary('subtract', dy, y.value, dy, false);
  backend.binary('multiply', dy, factors, x.gradient(), true);
}

/** Moves the running statistics towards the batch's; the variance is that of the whole from which its rows were drawn. */
function follow(
  backend: Backend,
  batch: { readonly mean: Matrix; readonly variance: Matrix; readonly count: number; readonly epsilon: number },
  scale: Matrix,
  shift: Matrix,
): void {
  const { count, epsilon } = batch;
  const [means, variances] = [backend.read(batch.mean), backend.read(batch.variance)];
  const [scales, shifts] = [backend.read(scale), backend.read(shift)];
  const unbiased = count > 1 ? count / (count - 1) : 1;
  const next = Array.from(scales, (s, i) => {
    const mean = (1 - newest) * (-shifts[i]! / s) + newest * means[i]!;
    const variance = (1 - newest) * Math.max(0, 1 / (s * s) - epsilon) + newest * unbiased * variances[i]!;
    const inverse = 1 / Math.sqrt(variance + epsilon);
    return [inverse, -mean * inverse] as const;
  });
  backend.write(
    scale,
    next.map(([value]) => value),
  );
  backend.write(
    shift,
    next.map(([, value]) => value),
  );
}
