import { denseWeight, type Model } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { modelOf } from '../../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../../runtime/test/support/random.ts';
import { Elimination } from '../../../src/compress/prune/units/spectral/eliminate.ts';
import type { View } from '../../../src/compress/prune/units/spectral/views.ts';
import { nodeOf } from './support.ts';

const width = 6;

/** Solves a·x = b by Gaussian elimination with pivoting. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  const m = a.map((row, i) => [...row, b[i]!]);
  for (let i = 0; i < n; i++) {
    const pivot = m.slice(i).reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(m[best]![i]!) ? i + k : best), i);
    [m[i], m[pivot]] = [m[pivot]!, m[i]!];
    for (let r = i + 1; r < n; r++) {
      const factor = m[r]![i]! / m[i]![i]!;
      for (let c = i; c <= n; c++) m[r]![c]! -= factor * m[i]![c]!;
    }
  }
  const x: number[] = new Array(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = m[i]![n]!;
    for (let c = i + 1; c < n; c++) sum -= m[i]![c]! * x[c]!;
    x[i] = sum / m[i]![i]!;
  }
  return x;
}

/** Least squared error of w·x by the kept features alone: wᵀSw − sᵀ·S_KK⁻¹·s with s = S_K·w. */
function leastError(covariance: readonly number[][], w: readonly number[], kept: readonly number[]): number {
  const product = (i: number) => covariance[i]!.reduce((sum, value, j) => sum + value * w[j]!, 0);
  const all = w.reduce((sum, value, i) => sum + value * product(i), 0);
  const right = kept.map(product);
  const x = solve(
    kept.map((i) => kept.map((j) => covariance[i]![j]!)),
    right,
  );
  return all - right.reduce((sum, value, i) => sum + value * x[i]!, 0);
}

it('the cost of every removal is what least squares loses by it', () => {
  const random = randomSource(8);
  const kernel = randomValues(random, 3 * width);
  const model: Model = modelOf(
    'one',
    { 'd/kernel': denseWeight([3, width], kernel) },
    {
      inputs: [{ name: 'x', shape: ['batch', width], dtype: 'float32' }],
      outputs: [{ name: 'y', value: 'd.y' }],
      nodes: [nodeOf('d', 'dense', { x: 'x' }, ['kernel'])],
      states: [],
    },
  );
  const mixing = randomValues(random, width * width);
  const covariance = Float64Array.from({ length: width * width }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < width; k++) {
      sum += mixing[Math.floor(at / width) * width + k]! * mixing[(at % width) * width + k]!;
    }
    return sum;
  });
  const consumer = { node: model.graphs.main!.nodes[0]!, role: 'kernel', weight: 'd/kernel', taps: 1, rows: [0, 1, 2] };
  const view: View = {
    ...{ value: 'x', mask: undefined, channels: [0, 1, 2, 3, 4, 5] },
    consumers: [{ ...consumer, bias: undefined }],
  };
  const moments = { mean: new Float64Array(width), covariance, full: true };
  const elimination = new Elimination(model, view, moments);
  // The covariance with its ridge.
  const trace = Array.from({ length: width }, (_, i) => covariance[i * width + i]!).reduce((a, b) => a + b, 0);
  const s = Array.from({ length: width }, (_, i) =>
    Array.from({ length: width }, (_, j) => covariance[i * width + j]! + (i === j ? (1e-4 * trace) / width : 0)),
  );
  const error = (kept: readonly number[]) =>
    [0, 1, 2].reduce((sum, row) => sum + leastError(s, [...kernel.slice(row * width, (row + 1) * width)], kept), 0);
  let kept = [0, 1, 2, 3, 4, 5];
  for (const removed of [4, 0, 2, 5]) {
    const rest = kept.filter((i) => i !== removed);
    expect(elimination.cost(removed) / (error(rest) - error(kept))).toBeCloseTo(1, 6);
    elimination.remove(removed);
    kept = rest;
  }
});
