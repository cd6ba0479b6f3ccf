import { decode, denseWeight, type Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { randomSource } from '../../../runtime/test/support/random.ts';
import type { Dataset } from '../../src/data/index.ts';
import { evaluate } from '../../src/evaluate/index.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import type { Backend } from '../../src/train/backend/types.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';
import { batchSource } from '../../src/train/batches.ts';
import { modelFor, train } from '../../src/train/index.ts';
import { Replica, type ReplicaSpec } from '../../src/train/replica.ts';

const count = 24;
const steps = 7;

/** At every step two answers: whether the first number is positive now, and whether it was one step before. */
function answers(seed: number, ragged = false): Dataset {
  const random = randomSource(seed);
  const lengths = Array.from({ length: count }, (_, i) => (ragged ? 3 + (i % 5) : steps));
  const x: number[] = [];
  const y: number[] = [];
  for (const length of lengths) {
    let before = 0;
    for (let t = 0; t < length; t++) {
      const value = random() - 0.5;
      const now = Number(value > 0);
      x.push(value, random() - 0.5);
      y.push(now, before);
      before = now;
    }
  }
  const examples = (data: number[]) => ({
    ...{ shape: [count, steps, 2], data: Float32Array.from(data), ...(ragged ? { lengths } : {}) },
  });
  return { name: 'answers', task: 'binary', count, inputs: { x: examples(x) }, targets: examples(y) };
}

/** Loss and gradients of all examples in one batch. */
function gradientsOf(backend: Backend, model: Model, data: Dataset, more: Pick<ReplicaSpec, 'teacher'> = {}) {
  const spec = { model, task: data.task, seed: 1, loss: {}, dropout: 0, recurrentDropout: 0, ...more };
  const replica = new Replica(backend, spec);
  const [batch] = batchSource(data, { batch: count, window: 1, seed: 1 }).epoch(0);
  const loss = replica.gradients(batch!, 0);
  const { trained } = replica.parameters;
  return { loss, gradients: new Map(trained.map(({ name, gradient }) => [name, [...backend.read(gradient)]])) };
}

describe('yes or no', () => {
  it('the loss is −log of the joint probability of a row, as the saved model gives it', async () => {
    const data = answers(1);
    const model = modelFor('gru:5 dense', data);
    const { loss } = gradientsOf(new Float64Backend(), model, data);
    const { metrics } = await evaluate(model, data);
    expect(metrics.rows).toBe(count * steps);
    expect(Math.abs(loss - metrics.nll!)).toBeLessThan(1e-6);
    // Who knows nothing says a half to each.
    const silent = {
      ...model,
      weights: { ...model.weights, 'dense/kernel': denseWeight([2, 5], new Float32Array(10)) },
    };
    expect((await evaluate(silent, data)).metrics.nll).toBeCloseTo(2 * Math.log(2), 6);
  });

  it.each([
    ['plain', false, undefined],
    ['ragged', true, undefined],
    ['taught', false, 'binary'],
    ['taught numbers', true, 'regress'],
  ] as const)('gradients equal central differences, and the kernels float64: %s', (_, ragged, taught) => {
    const data = { ...answers(2, ragged), ...(taught ? { task: taught } : {}) };
    const model = modelFor('lstm:4 dense', data);
    const more = taught ? { teacher: { model: modelFor('rnn:3 dense', data, 5), share: 0.6, temperature: 2 } } : {};
    const exact = gradientsOf(new Float64Backend(), model, data, more);
    const fast = gradientsOf(new WasmBackend(), model, data, more);
    expect(Math.abs(fast.loss - exact.loss)).toBeLessThan(1e-5);
    for (const [name, wanted] of exact.gradients) {
      const largest = Math.max(...wanted.map(Math.abs));
      const worst = Math.max(...wanted.map((value, i) => Math.abs(value - fast.gradients.get(name)![i]!)));
      expect(worst, name).toBeLessThan(1e-5 * largest);
      const weight = model.weights[name]!;
      for (const at of [0, wanted.length - 1]) {
        // A step that float32 holds exactly, so that the weight moves by what is divided by.
        const moved = [1, -1].map((sign) => {
          const values = decode(weight).slice();
          values[at] = Math.fround(values[at]! + sign * 2 ** -9);
          const changed = { ...model, weights: { ...model.weights, [name]: denseWeight(weight.shape, values) } };
          return { at: values[at]!, loss: gradientsOf(new Float64Backend(), changed, data, more).loss };
        }) as [{ at: number; loss: number }, { at: number; loss: number }];
        const slope = (moved[0].loss - moved[1].loss) / (moved[0].at - moved[1].at);
        expect(Math.abs(slope - wanted[at]!), name).toBeLessThan(1e-5);
      }
    }
  });

  it('a teacher has its share of the loss', () => {
    const data: Dataset = { ...answers(2), task: 'regress' };
    const model = modelFor('lstm:4 dense', data);
    const lossOf = (share: number, of = model) =>
      gradientsOf(new Float64Backend(), model, data, { teacher: { model: of, share } }).loss;
    const { loss } = gradientsOf(new Float64Backend(), model, data);
    // Who is taught by itself has nothing to learn from that.
    for (const share of [0, 0.25, 1]) expect(lossOf(share)).toBeCloseTo((1 - share) * loss, 12);
    const other = modelFor('rnn:3 dense', data, 5);
    expect(lossOf(0.25, other)).toBeCloseTo(0.75 * loss + 0.25 * lossOf(1, other), 12);
  });

  it('is learnt', async () => {
    const data = answers(3, true);
    const options = { epochs: 60, batch: 8, optimizer: { name: 'adam', rate: 0.03 } as const };
    const { model } = await train(modelFor('lstm:8 dense', data), data, options);
    const { metrics } = await evaluate(model, answers(4));
    expect(metrics.accuracy).toBeGreaterThan(0.9);
    expect(metrics.f1).toBeGreaterThan(0.9);
  });

  it('refuses what has no meaning', async () => {
    const data = answers(5);
    const model = modelFor('lstm:4 dense', data);
    const refused = (change: Partial<Dataset>, options = {}) =>
      train(model, { ...data, ...change }, { epochs: 1, ...options });
    const labels = { shape: [count], data: new Float32Array(count) };
    await expect(refused({ task: 'classify', targets: labels })).rejects.toMatchObject({
      code: 'DATA_INVALID',
      detail: { hint: 'choose --task binary' },
    });
    await expect(refused({}, { loss: { smoothing: 0.1 } })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    const wider = modelFor('lstm:4 dense:3', data);
    await expect(refused({}, { teacher: { model: wider } })).rejects.toMatchObject({ code: 'DATA_INVALID' });
  });
});
