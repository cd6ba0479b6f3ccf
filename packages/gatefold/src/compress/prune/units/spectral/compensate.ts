import { decode, denseWeight, type Graph, type Model, type Weight } from '@gatefold/runtime';
import { cholesky } from '../../../moments.ts';
import { ridged } from './eliminate.ts';
import type { Measured } from './measured.ts';
import type { Moments } from './moments.ts';
import { type Consumer, usedOnce, type View } from './views.ts';

/** How removed features are said by those that stay: x_D ≈ A·x_K + constant. */
interface Fit {
  readonly kept: readonly number[];
  readonly gone: readonly number[];
  /** [gone, kept] */
  readonly matrix: Float64Array;
  readonly constant: Float64Array;
}

/** Least squares with a ridge; without an intercept the second moments about zero are fitted. */
function fit(view: View, { mean, covariance, full }: Moments, gone: ReadonlySet<number>, intercept: boolean): Fit {
  const n = mean.length;
  const at = (removed: boolean) => view.channels.flatMap((channel, i) => (gone.has(channel) === removed ? [i] : []));
  const [kept, dropped] = [at(false), at(true)];
  const moments = covariance.slice();
  if (!intercept) for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) moments[i * n + j]! += mean[i]! * mean[j]!;
  const system = ridged({ mean, covariance: moments, full });
  const k = kept.length;
  const left = new Float64Array(k * k);
  kept.forEach((i, a) => {
    kept.forEach((j, b) => {
      left[a * k + b] = system[i * n + j]!;
    });
  });
  const lower = cholesky(left, k);
  const matrix = new Float64Array(dropped.length * k);
  if (lower)
    dropped.forEach((d, row) => {
      solve(
        lower,
        k,
        kept.map((j) => moments[d * n + j]!),
        matrix.subarray(row * k, (row + 1) * k),
      );
    });
  const constant = Float64Array.from(dropped, (d, row) => {
    if (!intercept) return 0;
    let rest = mean[d]!;
    for (let b = 0; b < k; b++) rest -= matrix[row * k + b]! * mean[kept[b]!]!;
    return rest;
  });
  return { kept, gone: dropped, matrix, constant };
}

/** x with L·Lᵀ·x = right. */
function solve(lower: Float64Array, n: number, right: readonly number[], x: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = right[i]!;
    for (let j = 0; j < i; j++) sum -= lower[i * n + j]! * x[j]!;
    x[i] = sum / lower[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = x[i]!;
    for (let j = i + 1; j < n; j++) sum -= lower[j * n + i]! * x[j]!;
    x[i] = sum / lower[i * n + i]!;
  }
}

type Four = [number, number, number, number];
type Rows = [Float64Array, Float64Array, Float64Array, Float64Array];

/** The matrix whose kept columns have taken over what the others said, and what its products lack by a constant. */
function takeOver(
  weight: Weight,
  { taps, rows }: Consumer,
  width: number,
  made: Fit,
): { weight: Weight; shift: Float64Array } {
  const values = decode(weight).slice();
  const shift = new Float64Array(weight.shape[0]!);
  const k = made.kept.length;
  const sums = new Float64Array(k);
  const fitted = made.gone.map((_, i) => made.matrix.subarray(i * k, (i + 1) * k));
  for (const row of rows) {
    for (let tap = 0; tap < taps; tap++) {
      const w = values.subarray((row * taps + tap) * width, (row * taps + tap + 1) * width);
      sums.fill(0);
      for (let i = 0; i < made.gone.length; i += 4) {
        // Four at a time: the sums are then loaded and stored a quarter as often.
        const [w0, w1, w2, w3] = [0, 1, 2, 3].map((n) =>
          i + n < made.gone.length ? w[made.gone[i + n]!]! : 0,
        ) as Four;
        const [m0, m1, m2, m3] = [0, 1, 2, 3].map((n) => fitted[Math.min(i + n, made.gone.length - 1)]!) as Rows;
        for (let b = 0; b < k; b++) sums[b] = sums[b]! + w0 * m0[b]! + w1 * m1[b]! + (w2 * m2[b]! + w3 * m3[b]!);
      }
      made.gone.forEach((d, i) => {
        shift[row]! += w[d]! * made.constant[i]!;
      });
      for (let b = 0; b < k; b++) w[made.kept[b]!]! += sums[b]!;
    }
  }
  return { weight: denseWeight(weight.shape, values), shift };
}

/** Collects changed weights, and biases that nodes did not have. */
class Draft {
  readonly weights: Record<string, Weight>;
  private readonly model: Model;
  private readonly added = new Map<string, Record<string, string>>();

  constructor(model: Model) {
    this.model = model;
    this.weights = { ...model.weights };
  }

  addToBias({ node, bias }: Consumer, shift: Float64Array): void {
    const role = bias!;
    const name = node.weights[role] ?? this.added.get(node.name)?.[role] ?? this.newBias(node.name, role);
    const before = this.weights[name];
    const values = before ? decode(before).slice() : new Float32Array(shift.length);
    shift.forEach((value, i) => {
      values[i]! += value;
    });
    this.weights[name] = denseWeight([shift.length], values);
  }

  private newBias(node: string, role: string): string {
    let name = `${node}/${role}`;
    while (this.weights[name]) name += '+';
    this.added.set(node, { ...this.added.get(node), [role]: name });
    return name;
  }

  result(): Model {
    const withBias = (graph: Graph): Graph => ({
      ...graph,
      nodes: graph.nodes.map((node) => {
        const added = this.added.get(node.name);
        return added ? { ...node, weights: { ...node.weights, ...added } } : node;
      }),
    });
    const graphs = Object.entries(this.model.graphs).map(([name, graph], i) => [
      name,
      i === 0 ? withBias(graph) : graph,
    ]);
    return { ...this.model, weights: this.weights, graphs: Object.fromEntries(graphs) };
  }
}

/** Why a matrix is left as it is; undefined where it can take over. */
function obstacle(model: Model, consumer: Consumer, once: (weight: string) => boolean): string | undefined {
  const { encoding, sparsity } = model.weights[consumer.weight]!;
  const bias = consumer.bias === undefined ? undefined : consumer.node.weights[consumer.bias];
  if (encoding.kind !== 'dense') return 'it is coded already';
  if (sparsity) return 'some of its weights were removed';
  if (!once(consumer.weight) || (bias !== undefined && !once(bias))) return 'it is shared';
  return undefined;
}

/**
 * Lets every matrix that reads removed units make up for them with the units that stay, as well as a linear map can on the
 * calibration data. The removed columns themselves stay in place: nobody needs them any more.
 * @returns the model, and which matrices could not, and why
 */
export function compensateUnits(
  model: Model,
  gone: ReadonlySet<number>,
  measured: Measured,
): { model: Model; left: { place: string; reason: string }[] } {
  const once = usedOnce(model);
  const draft = new Draft(model);
  const left: { place: string; reason: string }[] = [];
  for (const { view, moments } of measured.showing(gone)) {
    const fits = new Map<boolean, Fit>();
    for (const consumer of view.consumers) {
      const place = `${consumer.node.name}/${consumer.role}`;
      const reason = moments.full ? obstacle(model, consumer, once) : 'its operand is too wide';
      if (reason !== undefined) {
        left.push({ place, reason });
        continue;
      }
      const intercept = consumer.bias !== undefined;
      const made = fits.get(intercept) ?? fit(view, moments, gone, intercept);
      fits.set(intercept, made);
      const { weight, shift } = takeOver(draft.weights[consumer.weight]!, consumer, view.channels.length, made);
      draft.weights[consumer.weight] = weight;
      if (shift.some((value) => value !== 0)) draft.addToBias(consumer, shift);
    }
  }
  return { model: draft.result(), left };
}
