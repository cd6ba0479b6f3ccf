import {
  analyse,
  type CellWeight,
  cellOf,
  denseWeight,
  type Model,
  type Node,
  OpContext,
  sizeOf,
  type Weight,
} from '@gatefold/runtime';
import { holdsStatistics } from './ops/batch-statistics.ts';
import { normal, randomFor } from './random.ts';

/** Uniform within ±√(6/(rows + columns)) (Glorot & Bengio 2010). */
function glorot(rows: number, cols: number, random: () => number): Float32Array {
  const span = Math.sqrt(6 / (rows + cols));
  return Float32Array.from({ length: rows * cols }, () => (2 * random() - 1) * span);
}

function normalValues(count: number, deviation: number, random: () => number): Float32Array {
  return Float32Array.from({ length: count }, () => deviation * normal(random));
}

/** A random orthogonal matrix: rows of normal numbers, made orthogonal one by one (modified Gram–Schmidt). */
function orthogonal(size: number, random: () => number): Float32Array {
  const rows: Float64Array[] = [];
  while (rows.length < size) {
    const row = Float64Array.from({ length: size }, () => normal(random));
    for (const earlier of rows) {
      let dot = 0;
      for (let i = 0; i < size; i++) dot += earlier[i]! * row[i]!;
      for (let i = 0; i < size; i++) row[i]! -= dot * earlier[i]!;
    }
    const norm = Math.hypot(...row);
    // A row that lies in the span of the earlier ones is drawn anew.
    if (norm > 1e-6) rows.push(row.map((value) => value / norm));
  }
  const out = new Float32Array(size * size);
  rows.forEach((row, i) => {
    out.set(row, i * size);
  });
  return out;
}

/**
 * The model with new weights, drawn by the seed: matrices after Glorot & Bengio 2010, recurrent ones orthogonal gate by gate (Saxe
 * et al. 2014), the forget gate open (Jozefowicz et al. 2015), embeddings normal with deviation 1/√width. What is not learnt by
 * gradients from scratch stays: constants, and scales that do not follow a batch's statistics.
 */
export function initialised(model: Model, seed: number): Model {
  const random = randomFor(seed, 3);
  const weights: Record<string, Weight> = { ...model.weights };
  const done = new Set<string>();
  for (const name of Object.keys(model.graphs)) {
    const { nodes } = model.graphs[name]!;
    const standardized = new Set(nodes.filter(holdsStatistics).flatMap(({ outputs }) => Object.values(outputs)));
    const { values, times } = analyse(model, name);
    for (const node of nodes) {
      const known = node.op === 'recurrent' ? cellOf(new OpContext(node, model, values, [...times])) : undefined;
      const roles = known?.cell.weights(known.options) ?? Object.keys(node.weights).map((role) => ({ role }));
      for (const of of roles) {
        const weight = node.weights[of.role];
        if (weight === undefined || done.has(weight)) continue;
        done.add(weight);
        const { shape } = model.weights[weight]!;
        const data = known
          ? cellWeight(of as CellWeight, shape, random)
          : plainWeight(node, of.role, shape, standardized, random);
        if (data) weights[weight] = denseWeight(shape, data);
      }
    }
  }
  return { ...model, weights };
}

function cellWeight(
  { role, gates, columns }: CellWeight,
  shape: readonly number[],
  random: () => number,
): Float32Array {
  const out = new Float32Array(sizeOf(shape));
  const rows = shape[0]! / (gates?.length ?? 1);
  if (columns === undefined) {
    const forget = role === 'b' ? gates!.indexOf('forget') : -1;
    return forget < 0 ? out : out.fill(1, forget * rows, (forget + 1) * rows);
  }
  const width = shape[1]!;
  const isRecurrent = gates !== undefined && columns !== 'features' && rows === width;
  for (let at = 0; at < out.length; at += rows * width) {
    out.set(isRecurrent ? orthogonal(rows, random) : glorot(rows, width, random), at);
  }
  return out;
}

/** Undefined for what stays. */
function plainWeight(
  { op, inputs, attributes }: Node,
  role: string,
  shape: readonly number[],
  standardized: ReadonlySet<string>,
  random: () => number,
): Float32Array | undefined {
  const constant = (value: number) => new Float32Array(sizeOf(shape)).fill(value);
  if (op === 'embedding') return normalValues(sizeOf(shape), shape[1]! ** -0.5, random);
  if (op === 'dense' || op === 'conv1d') return role === 'bias' ? constant(0) : glorot(shape[0]!, shape[1]!, random);
  if (op === 'normalization') return constant(role === 'gamma' ? 1 : 0);
  // He et al. 2015 begin with a quarter.
  if (op === 'prelu') return constant(0.25);
  if (op !== 'scaleShift') return undefined;
  const { epsilon } = attributes;
  if (typeof epsilon === 'number') return constant(role === 'scale' ? (1 + epsilon) ** -0.5 : 0);
  return standardized.has(inputs.x!) ? constant(role === 'scale' ? 1 : 0) : undefined;
}
