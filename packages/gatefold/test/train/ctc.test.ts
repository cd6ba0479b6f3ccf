import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { readNpz, toFloat32 } from '../../src/data/npz.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import type { Backend, CtcTargets } from '../../src/train/backend/types.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';
import { bestPath, leastSteps } from '../../src/train/ctc.ts';

interface Case {
  /** [longest, sequences, classes] */
  readonly x: ArrayLike<number>;
  readonly classes: number;
  readonly steps: readonly number[];
  readonly counts: readonly number[];
  readonly labels: ArrayLike<number>;
  readonly weights: readonly number[];
  readonly blank: number;
}

function run(backend: Backend, { x, classes, steps, counts, labels, weights, blank }: Case) {
  const put = (rows: number, values: ArrayLike<number>) => {
    const m = backend.alloc(rows, values.length / rows);
    backend.write(m, values);
    return m;
  };
  const batch = steps.length;
  const scores = put(x.length / classes, x);
  const gradient = backend.alloc(scores.rows, classes);
  const targets: CtcTargets = {
    steps: put(batch, steps),
    labels: put(batch, labels),
    counts: put(batch, counts),
    weights: put(batch, weights),
    blank,
  };
  return { loss: backend.ctc(scores, targets, gradient), gradient: backend.read(gradient) };
}

const random = randomSource(21);
/** Sequences of different lengths; the last needs every one of its steps. */
const drawn: Case = {
  x: randomValues(random, 9 * 4 * 5, 3),
  classes: 5,
  steps: [9, 6, 1, 5],
  counts: [3, 2, 1, 3],
  labels: [0, 1, 0, 3, 3, 0, 4, 0, 0, 0, 0, 1],
  weights: [0.5, 1, 2, 0.25],
  blank: 2,
};
const far = (found: ArrayLike<number>, wanted: ArrayLike<number>) =>
  Math.max(...Array.from(wanted, (value, i) => Math.abs(value - found[i]!)));

describe('CTC', () => {
  it.each(['blank-last', 'blank-first', 'long'])('gives the losses and gradients of PyTorch: %s', (name) => {
    const bytes = readFileSync(new URL(`../../../../fixtures/training/ctc-${name}.npz`, import.meta.url));
    const arrays = new Map([...readNpz(new Uint8Array(bytes))].map(([key, { data }]) => [key, toFloat32(data)]));
    const list = (key: string) => [...arrays.get(key)!];
    const x = arrays.get('x')!;
    const whole = {
      ...{ x, steps: list('steps'), counts: list('counts'), labels: list('labels'), blank: list('blank')[0]! },
      ...{ classes: readNpz(new Uint8Array(bytes)).get('x')!.shape[2]!, weights: list('steps').map(() => 1) },
    };
    for (const backend of [new Float64Backend(), new WasmBackend()]) {
      const { gradient } = run(backend, whole);
      expect(far(gradient, arrays.get('gradient')!)).toBeLessThan(3e-6);
      list('loss').forEach((wanted, b) => {
        const { loss } = run(backend, { ...whole, weights: whole.weights.map((_, i) => Number(i === b)) });
        expect(Math.abs(loss - wanted)).toBeLessThan(2e-6 * Math.max(1, wanted));
      });
    }
  });

  it('in float64 equals central differences', () => {
    const { gradient } = run(new Float64Backend(), drawn);
    const h = 1e-5;
    for (let i = 0; i < drawn.x.length; i++) {
      const moved = (by: number) => {
        const x = Float64Array.from(drawn.x);
        x[i]! += by;
        return run(new Float64Backend(), { ...drawn, x }).loss;
      };
      expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - gradient[i]!)).toBeLessThan(1e-7);
    }
  });

  it('by the kernel equals float64, also where paths are very improbable', () => {
    const many = {
      ...{ x: randomValues(random, 400 * 2 * 8, 6), classes: 8, steps: [400, 310], counts: [60, 90], blank: 7 },
      ...{ labels: Array.from({ length: 180 }, (_, i) => (i * 5) % 7), weights: [1, 1] },
    };
    for (const given of [drawn, many]) {
      const exact = run(new Float64Backend(), given);
      const { loss, gradient } = run(new WasmBackend(), given);
      expect(Math.abs(loss - exact.loss)).toBeLessThan(1e-5 * exact.loss);
      expect(far(gradient, exact.gradient)).toBeLessThan(1e-5 * Math.max(...exact.gradient.map(Math.abs)));
    }
  });

  it('is infinite without gradient where the steps are too few', () => {
    expect(leastSteps([1, 1, 0, 0, 0])).toBe(8);
    for (const backend of [new Float64Backend(), new WasmBackend()]) {
      const short = run(backend, {
        ...drawn,
        steps: [4, 6, 1, 5],
        labels: [0, 0, 0, ...Array.from(drawn.labels).slice(3)],
      });
      expect(short.loss).toBe(Number.POSITIVE_INFINITY);
      expect([...short.gradient].every(Number.isFinite)).toBe(true);
    }
  });

  it('reads the best path', () => {
    const path = [2, 0, 0, 2, 0, 1, 1, 2, 2, 1];
    const scores = path.flatMap((best) => [0, 1, 2].map((c) => Number(c === best)));
    expect(bestPath(scores, 3, 2)).toEqual([0, 0, 1, 1]);
    expect(bestPath(scores, 3, 0)).toEqual([2, 2, 1, 2, 1]);
  });
});
