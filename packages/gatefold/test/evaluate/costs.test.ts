import { type Model, writeGatefold } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { quantize } from '../../src/compress/index.ts';
import { compareWeights, costsOf } from '../../src/evaluate/index.ts';

const [features, units, outputs] = [5, 8, 3];
const small = (cell: string): Model => smallModel(2, cellChoices[cell]!, { features, units, outputs });
const lstm = small('lstm');

describe('costs', () => {
  it('are those of the file and of the weights', () => {
    const costs = costsOf(lstm, (bytes) => bytes.length - 1);
    const parameters = 4 * units * (features + units + 1) + outputs * (units + 1);
    expect(costs).toMatchObject({ parameters, nonZero: parameters, float32Bytes: 4 * parameters });
    expect(costs.bytes).toBe(writeGatefold(lstm).length);
    expect(costs.brotliBytes).toBe(costs.bytes - 1);
    expect(costs.nodes.map(({ name, parameters: own }) => [name, own])).toEqual([
      ['cell', 4 * units * (features + units + 1)],
      ['dense', outputs * (units + 1)],
    ]);
    expect(costs.nodes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(4 * parameters);
    expect(costs.residentBytes).toBeGreaterThan(4 * parameters);
    expect(costsOf(lstm).brotliBytes).toBeUndefined();
  });

  const gates: [string, number][] = [
    ['rnn', 1],
    ['lstm', 4],
    ['lstmNoBias', 4],
    ['gruAfter', 3],
    ['gruBefore', 3],
  ];
  it.each(gates)('%s multiplies %i times its matrices', (cell, count) => {
    expect(costsOf(small(cell)).macsPerStep).toBe(count * units * (features + units) + outputs * units);
  });

  it('estimates energy by the arithmetic, as stated', () => {
    const macs = costsOf(lstm).macsPerStep;
    expect(costsOf(lstm).energy.nanojoulesPerStep).toBeCloseTo((macs * (3.7 + 0.9 + (4 * 10) / 8)) / 1000, 9);
    expect(costsOf(lstm).energy.assumption).toMatch(/estimate.*Horowitz/);
    const energies = [8, 4].map(
      (bits) => costsOf(quantize(lstm, { bits, scales: 'f16' }).model).energy.nanojoulesPerStep,
    );
    expect(energies[0]).toBeLessThan(costsOf(lstm).energy.nanojoulesPerStep);
    expect(energies[1]).toBeLessThan(energies[0]!);
  });

  it('fall with the bits, but for the multiplications', () => {
    const int8 = costsOf(quantize(lstm, { bits: 8 }).model);
    expect(int8.bytes).toBe(writeGatefold(quantize(lstm, { bits: 8 }).model).length);
    expect(int8.bytes).toBeLessThan(costsOf(lstm).bytes);
    expect(int8.macsPerStep).toBe(costsOf(lstm).macsPerStep);
    expect(int8.parameters).toBe(costsOf(lstm).parameters);
    expect(int8.nodes[0]!.weights.find(({ role }) => role === 'U')).toMatchObject({ encoding: 'int8/row u7' });
  });

  it('of a sparse model are those of what is left', () => {
    const size = { features: 32, units: 64, outputs };
    const whole = costsOf(smallModel(2, cellChoices.lstm!, { ...size, coding: 'int8' }));
    const model = smallModel(2, cellChoices.lstm!, { ...size, coding: 'sparseInt8' });
    const sparse = costsOf(model);
    expect(sparse.denseMacsPerStep).toBe(whole.macsPerStep);
    expect(whole.denseMacsPerStep).toBe(whole.macsPerStep);
    const { W, U } = { W: model.weights['cell/W']!, U: model.weights['cell/U']! };
    const blocks = [W, U].flatMap(({ sparsity }) => Array.from(sparsity!.kept)).filter((bit) => bit === 1).length;
    // Blocks of 8 × 4 in gates of 64 rows are the kernels' tiles.
    expect(sparse.nodes[0]!.macsPerStep).toBe(32 * blocks);
    expect(sparse.nonZero).toBeLessThan(0.5 * sparse.parameters);
    expect(sparse.residentBytes).toBeLessThan(whole.residentBytes);
    expect(sparse.bytes).toBe(writeGatefold(model).length);
    expect(sparse.energy.nanojoulesPerStep).toBeLessThan(0.6 * whole.energy.nanojoulesPerStep);
    expect(sparse.nodes[0]!.weights.find(({ role }) => role === 'U')!.encoding).toMatch(
      /^int8\/row u7 [34]\d% of 8×4$/,
    );
  });

  it('count a shared weight once', () => {
    const { nodes, ...rest } = lstm.graphs.main!;
    const second = { ...nodes[1]!, name: 'again', inputs: { x: 'cell.y' }, outputs: { y: 'again' } };
    const shared: Model = { ...lstm, graphs: { main: { ...rest, nodes: [...nodes, second] } } };
    const [, first, again] = costsOf(shared).nodes;
    expect(first!.bytes).toBe(4 * outputs * (units + 1));
    expect(again!.bytes).toBe(0);
    expect(costsOf(shared).parameters).toBe(costsOf(lstm).parameters);
  });
});

describe('errors of weights', () => {
  it('are nothing between equal models', () => {
    const { errors, histograms } = compareWeights(lstm, lstm);
    for (const error of errors) expect(error).toMatchObject({ relative: 0, largest: 0 });
    for (const { before, after } of histograms) expect(after).toEqual(before);
  });

  it('have a row per gate, and one for a matrix without gates', () => {
    const { errors, histograms } = compareWeights(lstm, quantize(lstm, { bits: 4 }).model);
    expect(errors).toHaveLength(9);
    for (const role of ['W', 'U']) {
      const own = errors.filter(({ place }) => place.startsWith(`cell/${role}/`));
      expect(own).toHaveLength(4);
      expect(new Set(own.map(({ place }) => place)).size).toBe(4);
      for (const { count } of own) expect(count).toBe(units * (role === 'W' ? features : units));
    }
    expect(errors.find(({ place }) => place === 'dense/kernel')).toMatchObject({ count: outputs * units });
    for (const { relative, largest } of errors) {
      expect(relative).toBeGreaterThan(0);
      expect(relative).toBeLessThan(0.2);
      expect(largest).toBeGreaterThan(0);
    }
    expect(histograms.map(({ place }) => place).sort()).toEqual(['cell/U', 'cell/W', 'dense/kernel']);
    for (const { before, after, low, high } of histograms) {
      const total = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
      expect(total(after)).toBe(total(before));
      expect(low).toBe(-high);
    }
  });

  it('are those by hand', () => {
    const values = Float32Array.from({ length: outputs * units }, (_, i) => (i % 2 ? 3 : -4));
    const changed = values.slice();
    changed[0] = 0;
    const withKernel = (list: Float32Array): Model => ({
      ...lstm,
      weights: {
        ...lstm.weights,
        kernel: { ...lstm.weights.kernel!, encoding: { kind: 'dense', type: 'f32', values: list } },
      },
    });
    const { errors } = compareWeights(withKernel(values), withKernel(changed));
    const error = errors.find(({ place }) => place === 'dense/kernel')!;
    expect(error.largest).toBe(4);
    expect(error.relative).toBeCloseTo(Math.sqrt(16 / (12 * 9 + 12 * 16)), 12);
  });
});
