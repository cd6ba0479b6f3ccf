import { createSession, relaxedEngine, simd128Engine } from '@gatefold/runtime';
import { referenceEngine } from '@gatefold/runtime/reference';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { quantize } from '../../src/compress/index.ts';
import { driftFromFloat64 } from '../../src/evaluate/index.ts';

const features = 5;

function inputs(seed: number): (t: number) => Float32Array {
  const values = randomValues(randomSource(seed), 4096 * features);
  return (t) => values.subarray((t % 4096) * features, ((t % 4096) + 1) * features);
}

describe.each(Object.keys(cellChoices))('%s', (cell) => {
  it('stays with its equations in float64', () => {
    const model = smallModel(5, cellChoices[cell]!, { features, units: 7 });
    for (const { difference } of driftFromFloat64(model, inputs(1), 1000)) expect(difference).toBeLessThan(1e-5);
  });
});

describe('100,000 steps', () => {
  const float = smallModel(9, cellChoices.lstm!, { features, units: 6 });
  const { model: int8 } = quantize(float, { bits: 8 });
  const steps = 100_000;

  it('int8 does not drift away from float64', { timeout: 120_000 }, () => {
    const points = driftFromFloat64(int8, inputs(2), steps, float);
    expect(points.at(-1)!.step).toBe(steps);
    // Neither grows: the error of the last 70,000 steps is that of the first hundred.
    expect(points.at(-1)!.difference).toBeLessThan(
      3 * Math.max(...points.slice(0, 5).map(({ difference }) => difference)),
    );
    expect(points.at(-1)!.difference).toBeLessThan(0.05);
  });

  it('every engine ends with the same state, bit for bit', { timeout: 240_000 }, () => {
    const x = inputs(3);
    const engines = [referenceEngine, simd128Engine, relaxedEngine].filter(
      (engine) => engine.unavailable() === undefined,
    );
    // The reference is slow by design: it takes the last 2,000 steps from the state that simd128 reached.
    const before = createSession(int8, { engine: simd128Engine }).stream();
    for (let t = 0; t < steps - 2000; t++) before.step(x(t));
    const saved = before.save();
    const ends = engines.map((engine) => {
      const stream = createSession(int8, { engine }).stream();
      stream.restore(saved);
      for (let t = steps - 2000; t < steps; t++) stream.step(x(t));
      return Array.from(stream.save());
    });
    for (const end of ends) expect(end).toEqual(ends[0]);
  });
});
