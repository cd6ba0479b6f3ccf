import { readFileSync } from 'node:fs';
import { denseWeight, type Model, readGatefold, type Weight, writeGatefold } from '@gatefold/runtime';
import { beforeAll, describe, expect, it } from 'vitest';
import digits from '../../../../examples/digits/data.mjs';
import { cellChoices, modelOf, recurrentNode } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { type QuantizeOptions, quantize } from '../../src/compress/index.ts';
import { evaluateAll } from '../../src/evaluate/index.ts';
import { readModel } from '../../src/formats/index.ts';

/** Name, options, points of accuracy it may cost, times smaller than float32 it must be. */
const table: [string, QuantizeOptions, number, number][] = [
  ['int8', { bits: 8 }, 0.05, 3.6],
  ['int4', { bits: 4 }, 0.15, 6.6],
  ['int3', { bits: 3 }, 0.3, 8.5],
  ['log4', { bits: 4, scheme: 'log' }, 0.15, 6.6],
  ['codebook4', { bits: 4, scheme: 'codebook' }, 0.15, 6.6],
  ['floor formula, 8 bits', { bits: 8, rounding: 'floor' }, 0.05, 3.6],
];

describe('digits LSTM-128, 10,000 MNIST test images', () => {
  let float: Model;
  beforeAll(async () => {
    const file = new URL('../../../../examples/digits/model/digits-lstm128.h5', import.meta.url);
    float = (await readModel(new Uint8Array(readFileSync(file)))).model;
  });

  it('keeps its accuracy in every scheme, and each file is as small as promised', { timeout: 120_000 }, async () => {
    const files = table.map(([, options]) => writeGatefold(quantize(float, options).model));
    const [original, ...coded] = await evaluateAll([float, ...files.map(readGatefold)], digits('test'));
    // Keras itself gets 9,927 right (examples/digits/model/digits-lstm128.json).
    expect(original!.evaluation.metrics.correct).toBe(9927);
    coded.forEach(({ evaluation }, i) => {
      const [name, , most, times] = table[i]!;
      const drop = (original!.evaluation.metrics.accuracy! - evaluation.metrics.accuracy!) * 100;
      expect(drop, name).toBeLessThanOrEqual(most);
      expect((81_674 * 4) / files[i]!.length, name).toBeGreaterThanOrEqual(times);
    });
  });
});

it('an LSTM-512 is 3.9 times smaller in 8 bits and 7.6 times in 4', () => {
  const random = randomSource(3);
  const weights: Record<string, Weight> = {};
  const node = recurrentNode(random, weights, 'lstm', cellChoices.lstm!, 65, 512);
  weights.kernel = denseWeight([65, 512], randomValues(random, 65 * 512));
  weights.bias = denseWeight([65], randomValues(random, 65));
  const dense = {
    name: 'next',
    op: 'dense',
    inputs: { x: 'lstm.y' },
    outputs: { y: 'y' },
    attributes: {},
    weights: { kernel: 'kernel', bias: 'bias' },
  };
  const model = modelOf('large', weights, {
    inputs: [{ name: 'x', shape: ['batch', 'time', 65], dtype: 'float32' }],
    outputs: [{ name: 'y', value: 'y' }],
    nodes: [node, dense],
    states: [],
  });
  const floatBytes = Object.values(weights).reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
  const ratio = (bits: number) => floatBytes / writeGatefold(quantize(model, { bits, clip: 'max' }).model).length;
  expect(ratio(8)).toBeGreaterThanOrEqual(3.9);
  expect(ratio(4)).toBeGreaterThanOrEqual(7.6);
});
