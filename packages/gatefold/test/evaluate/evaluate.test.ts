import { createSession, decode, type Model, simd128Engine } from '@gatefold/runtime';
import { referenceEngine } from '@gatefold/runtime/reference';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { quantize } from '../../src/compress/index.ts';
import type { Dataset } from '../../src/data/index.ts';
import { driftBetween, driftFromFloat64, evaluate, evaluateAll } from '../../src/evaluate/index.ts';

const [features, time, count] = [5, 6, 40];
const model = smallModel(4, cellChoices.lstm!, { features, units: 8, outputs: 3 });
const x = { shape: [count, time, features], data: randomValues(randomSource(6), count * time * features) };
const y = createSession(model).run(x.data, { batch: count }).y!.data;

/** Classes of every step as the model itself gives them. */
const own = Float32Array.from({ length: count * time }, (_, r) => {
  const row = [...y.subarray(r * 3, r * 3 + 3)];
  return row.indexOf(Math.max(...row));
});
const labelled: Dataset = {
  name: 'own',
  task: 'label',
  count,
  inputs: { x },
  targets: { shape: [count, time], data: own },
};

/** The same model with a softmax behind it. */
function withSoftmax(): Model {
  const graph = model.graphs.main!;
  return {
    ...model,
    graphs: {
      main: {
        ...graph,
        outputs: [{ name: 'y', value: 'p' }],
        nodes: [
          ...graph.nodes,
          { name: 'softmax', op: 'softmax', inputs: { x: 'y' }, outputs: { y: 'p' }, attributes: {}, weights: {} },
        ],
      },
    },
  };
}

describe('evaluating', () => {
  it('finds a model right about what it says itself', async () => {
    const { metrics, examples, task, engine } = await evaluate(model, labelled, { engine: simd128Engine });
    expect({ examples, task, engine }).toEqual({ examples: count, task: 'label', engine: 'simd128' });
    expect(metrics).toMatchObject({ accuracy: 1, correct: count * time, total: count * time, macroF1: 1 });
  });

  it('does not depend on batches or engine', async () => {
    const whole = await evaluate(model, labelled, { batch: count });
    expect((await evaluate(model, labelled, { batch: 7 })).metrics).toEqual(whole.metrics);
    expect((await evaluate(model, labelled, { engine: referenceEngine })).metrics).toEqual(whole.metrics);
  });

  it('has the same loss for logits and for probabilities', async () => {
    const [logits, probabilities] = await evaluateAll([model, withSoftmax()], labelled);
    expect(probabilities!.evaluation.metrics.loss).toBeCloseTo(logits!.evaluation.metrics.loss!, 5);
    expect(probabilities!.versusFirst!.agreement).toBe(1);
    expect(probabilities!.versusFirst!.meanKl).toBeUndefined();
  });

  it('finds no difference between a model and itself, and a little to int8', async () => {
    const { model: int8 } = quantize(withSoftmax(), { bits: 8 });
    const [, same, coded] = await evaluateAll([withSoftmax(), withSoftmax(), int8], labelled);
    expect(same!.versusFirst).toEqual({ agreement: 1, maxAbsDifference: 0, meanKl: 0 });
    expect(coded!.versusFirst!.agreement).toBeGreaterThan(0.9);
    expect(coded!.versusFirst!.maxAbsDifference).toBeGreaterThan(0);
    expect(coded!.versusFirst!.maxAbsDifference).toBeLessThan(0.1);
    expect(coded!.versusFirst!.meanKl).toBeGreaterThan(0);
  });

  it('takes long sequences in stretches, with the same numbers', async () => {
    const steps = 20_000;
    const long = { shape: [1, steps, features], data: randomValues(randomSource(9), steps * features) };
    const whole = createSession(model).run(long.data).y!.data;
    const labels = Float32Array.from({ length: steps }, (_, t) => t % 3);
    const said = labels.map((_, t) => {
      const row = [...whole.subarray(t * 3, t * 3 + 3)];
      return row.indexOf(Math.max(...row));
    });
    const seen: number[] = [];
    const [, int8] = await evaluateAll(
      [model, quantize(model, { bits: 8 }).model],
      { ...labelled, count: 1, inputs: { x: long }, targets: { shape: [1, steps], data: labels } },
      { onProgress: (done) => seen.push(done) },
    );
    expect(seen).toEqual([8192 / steps, 16_384 / steps, 1]);
    const coded = createSession(quantize(model, { bits: 8 }).model).run(long.data).y!.data;
    expect(int8!.versusFirst!.maxAbsDifference).toBe(
      coded.reduce((worst, value, i) => Math.max(worst, Math.abs(value - whole[i]!)), 0),
    );
    const { metrics } = await evaluate(model, {
      ...labelled,
      count: 1,
      inputs: { x: long },
      targets: { shape: [1, steps], data: labels },
    });
    expect(metrics).toMatchObject({ total: steps, correct: said.filter((label, t) => label === t % 3).length });
    const last = { ...labelled, task: 'regress' as const, count: 1, inputs: { x: long } };
    const one = { shape: [1], data: Float32Array.of(0) };
    await expect(evaluate(model, { ...last, targets: one })).rejects.toMatchObject({ code: 'DATA_INVALID' });
  });

  it('measures values', async () => {
    const targets = { shape: [count, time, 3], data: y.map((value) => value + 0.5) };
    const { metrics } = await evaluate(model, { ...labelled, task: 'regress', targets });
    expect(metrics.rmse).toBeCloseTo(0.5, 5);
    expect(metrics.mae).toBeCloseTo(0.5, 5);
    expect(metrics.r2).toBeLessThan(1);
  });

  it('refuses outputs that are not finite, with targets and without', async () => {
    const weights = Object.fromEntries(
      Object.entries(model.weights).map(([name, weight]) => {
        const values = decode(weight).map((value) => (name === 'kernel' ? Math.sign(value) * 3e38 : value + 3));
        return [name, { ...weight, encoding: { kind: 'dense' as const, type: 'f32' as const, values } }];
      }),
    );
    const wild = { ...withSoftmax(), weights };
    const { targets: _, ...bare } = labelled;
    await expect(evaluate(wild, labelled)).rejects.toMatchObject({ code: 'MODEL_VALUE' });
    await expect(evaluateAll([withSoftmax(), wild], bare)).rejects.toMatchObject({ code: 'MODEL_VALUE' });
  });

  it('compares without targets', async () => {
    const { targets: _, ...bare } = labelled;
    expect((await evaluate(model, bare)).metrics).toEqual({});
  });

  it('tells progress to the end and stops when told', async () => {
    const seen: number[] = [];
    await evaluate(model, labelled, { batch: 16, onProgress: (done) => seen.push(done) });
    expect(seen).toEqual([16, 32, 40]);
    await expect(evaluate(model, labelled, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  const refusals: [string, Partial<Dataset>][] = [
    ['a label that is no class', { targets: { shape: [count, time], data: own.map(() => 3) } }],
    ['a label per sequence for outputs per step', { targets: { shape: [count], data: own.slice(0, count) } }],
    ['inputs of another width', { inputs: { x: { shape: [count, 10, 3], data: x.data } } }],
  ];
  it.each(refusals)('refuses %s', async (_, change) => {
    await expect(evaluate(model, { ...labelled, ...change })).rejects.toMatchObject({ code: 'DATA_INVALID' });
  });
});

describe('drift', () => {
  const input = (t: number) => x.data.subarray((t % (count * time)) * features, ((t % (count * time)) + 1) * features);

  it.each(Object.keys(cellChoices))('of %s stays small over 300 steps, and is larger in int8', (cell) => {
    const float = smallModel(5, cellChoices[cell]!, { features, units: 7 });
    const points = driftFromFloat64(float, input, 300);
    expect(points.map(({ step }) => step)).toEqual([1, 3, 10, 30, 100, 300]);
    for (const { difference } of points) expect(difference).toBeLessThan(1e-5);
    const { model: int8 } = quantize(float, { bits: 8 });
    driftFromFloat64(int8, input, 300, float).forEach(({ difference }, i) => {
      expect(difference).toBeGreaterThan(points[i]!.difference);
      expect(difference).toBeLessThan(0.2);
    });
  });

  it('between a model and itself is nothing', () => {
    for (const { difference } of driftBetween(model, model, input, 100)) expect(difference).toBe(0);
  });

  it('has no oracle for graphs it does not know', () => {
    const graph = model.graphs.main!;
    const nodes = graph.nodes.map((node) =>
      node.op === 'recurrent' ? { ...node, attributes: { ...node.attributes, direction: 'backward' } } : node,
    );
    expect(() => driftFromFloat64({ ...model, graphs: { main: { ...graph, nodes } } }, input, 10)).toThrow(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }),
    );
  });

  it('of small int8 models leaves reference and simd128 bit-identical over 3,000 steps', { timeout: 60_000 }, () => {
    const { model: int8 } = quantize(smallModel(8, cellChoices.lstm!, { features, units: 4 }), { bits: 8 });
    const [a, b] = [referenceEngine, simd128Engine].map((engine) => createSession(int8, { engine }).stream());
    let different = 0;
    for (let t = 0; t < 3000; t++) {
      const [left, right] = [a!.step(input(t))!, b!.step(input(t))!];
      for (let i = 0; i < left.length; i++) if (!Object.is(left[i], right[i])) different++;
    }
    expect(different).toBe(0);
    expect([...a!.save()]).toEqual([...b!.save()]);
  });
});
