import { describe, expect, it } from 'vitest';
import { randomSource } from '../../../runtime/test/support/random.ts';
import type { Dataset } from '../../src/data/index.ts';
import { evaluate } from '../../src/evaluate/index.ts';
import { holdOut, modelFor, train } from '../../src/train/index.ts';

/** Pulses of one of three kinds at random places in noise: which came, not when, is what is told. */
function pulses(count: number, seed: number, blank?: number): Dataset {
  const random = randomSource(seed);
  const steps = 14;
  const x: number[] = [];
  const labels: number[] = [];
  const lengths: number[] = [];
  const shift = blank === 0 ? 1 : 0;
  for (let i = 0; i < count; i++) {
    let made = 0;
    let wait = 1;
    for (let t = 0; t < steps; t++) {
      const row = [0, 1, 2].map(() => 0.3 * (random() - 0.5));
      if (--wait <= 0 && made < 4 && random() < 0.5) {
        const kind = Math.floor(random() * 3);
        row[kind]! += 1;
        labels.push(kind + shift);
        made++;
        wait = 3;
      }
      x.push(...row);
    }
    if (made === 0) {
      x[x.length - 3]! += 1;
      labels.push(shift);
    }
    lengths.push(Math.max(made, 1));
  }
  return {
    ...{ name: 'pulses', task: 'transcribe', count },
    inputs: { x: { shape: [count, steps, 3], data: Float32Array.from(x) } },
    targets: { shape: [count, 4], data: Float32Array.from(labels), lengths },
    ...(blank === undefined ? {} : { blank }),
  };
}

const options = { epochs: 25, batch: 16, optimizer: { name: 'adam', rate: 0.02, clipNorm: 1 } } as const;

describe('labels without places', () => {
  it.each([
    ['the last class as blank', undefined],
    ['class 0 as blank', 0],
  ])('are learnt, with %s', async (_, blank) => {
    const data = pulses(240, 1, blank);
    const start = modelFor('gru:16 dense', data);
    expect(start.metadata.blank).toBe(blank ?? 3);
    const { model } = await train(start, data, options);
    // The model says which class is the blank: the data need not.
    const { blank: _blank, ...fresh } = pulses(100, 2, blank);
    const before = (await evaluate(start, fresh)).metrics;
    const { labelErrorRate, sequenceAccuracy, loss } = (await evaluate(model, fresh)).metrics;
    expect(before.labelErrorRate).toBeGreaterThan(0.5);
    expect(labelErrorRate).toBeLessThan(0.05);
    expect(sequenceAccuracy).toBeGreaterThan(0.85);
    expect(loss).toBeLessThan(before.loss! / 5);
  });

  it.each([
    [
      'a sequence is too short for its labels',
      /example 2\n.*at least 14 steps.*8 labels/s,
      [0, 0, 0, 0, 0, 1, 1, 1, 1],
      [1, 8],
    ],
    ['a label is the blank', /example 1\n.*without 3/s, [3, 1], [1, 1]],
    ['a label is no class of the model', /example 2\n.*0 … 3/s, [1, 9], [1, 1]],
  ])('%s: refused by place', async (message, place, labels, lengths) => {
    const x = { shape: [2, 12, 3], data: new Float32Array(72) };
    const data: Dataset = {
      ...{ name: 'odd', task: 'transcribe', count: 2, inputs: { x } },
      targets: { shape: [2, Math.max(...lengths)], data: Float32Array.from(labels), lengths },
    };
    const model = modelFor('rnn:4 dense', pulses(4, 1));
    for (const run of [() => train(model, data, options), () => evaluate(model, data)]) {
      await expect(run()).rejects.toThrow(message === 'a label is the blank' ? 'a label is' : message);
    }
    await expect(train(model, data, options)).rejects.toThrow(place);
  });

  it('are held out like examples', () => {
    const { train: kept, valid } = holdOut(pulses(40, 1), 0.25, 1);
    expect([kept.count, valid.count]).toEqual([30, 10]);
  });
});
