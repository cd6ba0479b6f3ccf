import { decode, fail, type Model } from '@gatefold/runtime';
import { cholesky } from '../../../moments.ts';
import type { Moments } from './moments.ts';
import { inverseFrom, OuterProducts } from './symmetric.ts';
import type { Consumer, View } from './views.ts';

/** Share of the mean variance that is added to every variance, so that covariances of few rows can be inverted. */
const ridge = 1e-4;

/** The covariance with its ridge. */
export function ridged({ covariance, mean }: Moments): Float64Array {
  const n = mean.length;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += covariance[i * n + i]!;
  const out = covariance.slice();
  // A value that never changes has no variance at all; its features then cost nothing.
  for (let i = 0; i < n; i++) out[i * n + i]! += (ridge * trace) / n || 1e-12;
  return out;
}

/** Σ over rows and taps of W's columns multiplied with each other, [n, n]. */
function columnProducts(model: Model, { weight, rows, taps }: Consumer, n: number): Float64Array {
  const values = decode(model.weights[weight]!);
  const products = new OuterProducts(n);
  for (const row of rows) {
    for (let tap = 0; tap < taps; tap++) {
      products.add(values.subarray((row * taps + tap) * n, (row * taps + tap + 1) * n));
    }
  }
  return products.result();
}

/**
 * What removing features of one value costs those who multiply it, when they make up for it as well as linear maps can:
 * ‖ŵ_q‖² / P_qq, with P the inverse covariance of what is left and ŵ the columns as they then stand. Both are updated by
 * every removal with one outer product (optimal brain surgeon: Hassibi & Stork 1993).
 */
export class Elimination {
  private readonly n: number;
  private readonly products: Float64Array;
  /** Inverse covariance; undefined where only variances are known. */
  private readonly inverse: Float64Array | undefined;
  private readonly variances: Float64Array;
  private alive: number[];
  private readonly byChannel = new Map<number, number[]>();

  constructor(model: Model, view: View, moments: Moments) {
    const n = view.channels.length;
    this.n = n;
    this.alive = Array.from({ length: n }, (_, i) => i);
    const covariance = moments.full ? ridged(moments) : undefined;
    this.variances = Float64Array.from({ length: n }, (_, i) =>
      covariance ? covariance[i * n + i]! : moments.covariance[i]!,
    );
    this.products = new Float64Array(covariance ? n * n : n);
    for (const consumer of view.consumers) this.addConsumer(model, consumer, moments.full);
    const lower = covariance && cholesky(covariance, n);
    this.inverse = lower && inverseFrom(lower, n);
    if (covariance && !this.inverse) {
      fail('DATA_INVALID', 'the covariance of a value cannot be inverted', {
        place: view.value,
        hint: 'give more calibration data',
      });
    }
    view.channels.forEach((channel, i) => {
      const at = this.byChannel.get(channel);
      if (at) at.push(i);
      else this.byChannel.set(channel, [i]);
    });
  }

  /** What any consumer's products lose counts alike: pre-activations and outputs are of one size. */
  private addConsumer(model: Model, consumer: Consumer, full: boolean): void {
    const { n, products } = this;
    if (!full) {
      const values = decode(model.weights[consumer.weight]!);
      values.forEach((w, i) => {
        products[i % n]! += w * w;
      });
      return;
    }
    columnProducts(model, consumer, n).forEach((product, i) => {
      products[i]! += product;
    });
  }

  /** The cost of removing a channel now. */
  cost(channel: number): number {
    const { n, products, inverse, variances } = this;
    let sum = 0;
    for (const q of this.byChannel.get(channel) ?? []) {
      sum += inverse ? products[q * n + q]! / inverse[q * n + q]! : products[q]! * variances[q]!;
    }
    return sum;
  }

  remove(channel: number): void {
    for (const q of this.byChannel.get(channel) ?? []) this.removeFeature(q);
  }

  private removeFeature(q: number): void {
    const { n, products: g, inverse: p } = this;
    this.alive = this.alive.filter((i) => i !== q);
    if (!p) return;
    const pivot = p[q * n + q]!;
    const own = g[q * n + q]!;
    const { alive } = this;
    for (const i of alive) {
      const pi = p[i * n + q]! / pivot;
      const gi = g[i * n + q]!;
      if (pi === 0) continue;
      for (const j of alive) {
        const pj = p[q * n + j]!;
        const rj = pj / pivot;
        g[i * n + j]! += own * pi * rj - gi * rj - pi * g[q * n + j]!;
        p[i * n + j]! -= pi * pj;
      }
    }
  }
}
