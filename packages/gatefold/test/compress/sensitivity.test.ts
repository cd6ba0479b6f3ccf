import { readFileSync } from 'node:fs';
import { createSession, decode, denseWeight, type Model, writeGatefold } from '@gatefold/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import digits from '../../../../examples/digits/data.mjs';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import {
  type QuantizeOptions,
  quantize,
  quantizeBySensitivity,
  type SearchSettings,
} from '../../src/compress/index.ts';
import { type Choice, descend, firstThatHolds, pathOf } from '../../src/compress/sensitivity/choose.ts';
import { Probe } from '../../src/compress/sensitivity/probe.ts';
import { readModel } from '../../src/formats/index.ts';

const small = smallModel(3, cellChoices.lstm!, { features: 7, units: 20 });
const x = randomValues(randomSource(5), 7 * 40);
const names = ['cell/W', 'cell/U', 'kernel'];
const calibration = () => [{ inputs: { x }, batch: 2 }];

describe('choosing', () => {
  const choice = fc.record({ cost: fc.integer({ min: 1, max: 50 }), damage: fc.integer({ min: 0, max: 1000 }) });
  const list = fc
    .array(choice, { minLength: 0, maxLength: 6 })
    .map((more): Choice[] => [{ cost: 60, damage: 0 }, ...more]);
  const lists = fc.array(list, { minLength: 1, maxLength: 5 });
  const sum = (all: readonly (readonly Choice[])[], chosen: readonly number[], what: keyof Choice) =>
    chosen.reduce((total, k, i) => total + all[i]![k]![what], 0);

  it('walks from cheap to precise, and no mixture of choices beats a step of the way', () => {
    fc.assert(
      fc.property(lists, (all) => {
        const path = pathOf(all);
        expect(sum(all, path.at(-1)!, 'damage')).toBe(0);
        const points = path.map((chosen) => [sum(all, chosen, 'cost'), sum(all, chosen, 'damage')] as const);
        points.slice(1).forEach(([cost, damage], i) => {
          expect(cost).toBeGreaterThan(points[i]![0]);
          expect(damage).toBeLessThan(points[i]![1]);
        });
        // Every single choice lies on or above the chain of its own list.
        for (const [cost, damage] of points) {
          for (const other of allChoices(all)) {
            const better = sum(all, other, 'cost') <= cost && sum(all, other, 'damage') < damage;
            expect(better).toBe(false);
          }
        }
      }),
    );
  });

  /** All assignments of small lists. */
  function allChoices(all: readonly (readonly Choice[])[]): number[][] {
    return all.reduce<number[][]>(
      (before, each) =>
        before.length * each.length > 3000
          ? before.map((b) => [...b, 0])
          : before.flatMap((b) => each.map((_, i) => [...b, i])),
      [[]],
    );
  }

  it('finds the cheapest step that holds, and takes back what was not needed', () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: 0, max: 1500 }), (all, bound) => {
        const holds = (chosen: readonly number[]) => sum(all, chosen, 'damage') <= bound;
        const path = [...pathOf(all), all.map(() => 0)];
        const first = firstThatHolds(path, holds);
        expect(first).toEqual(path.find(holds));
        const last = descend(all, first, holds);
        expect(holds(last)).toBe(true);
        expect(sum(all, last, 'cost')).toBeLessThanOrEqual(sum(all, first, 'cost'));
      }),
    );
  });
});

describe('likeness', () => {
  const scaled = (by: number): Model => ({
    ...small,
    weights: Object.fromEntries(
      Object.entries(small.weights).map(([name, w]) => [
        name,
        denseWeight(
          w.shape,
          decode(w).map((v) => v * by),
        ),
      ]),
    ),
  });

  it('is complete for the model itself, and falls with its weights', () => {
    const probe = new Probe(small, calibration());
    expect(probe.decides).toBe(true);
    expect(probe.compare(small)).toMatchObject({ agreement: 1, divergence: 0 });
    const [near, far] = [probe.compare(scaled(1.01)), probe.compare(scaled(-1))];
    expect(near.divergence).toBeGreaterThan(0);
    expect(far.divergence).toBeGreaterThan(near.divergence);
    expect(far.agreement).toBeLessThan(0.9);
  });

  it('takes the decisions that evaluation takes', () => {
    const other = scaled(1.6);
    const outputs = [small, other].map((m) => createSession(m).run({ x }, { batch: 2 }).y!);
    const width = outputs[0]!.shape.at(-1)!;
    const best = ({ data }: { data: Float32Array }, row: number) => {
      const values = [...data.subarray(row * width, (row + 1) * width)];
      return values.indexOf(Math.max(...values));
    };
    const rows = outputs[0]!.data.length / width;
    const same = Array.from({ length: rows }, (_, r) => best(outputs[0]!, r) === best(outputs[1]!, r));
    expect(new Probe(small, calibration()).compare(other).agreement).toBe(same.filter(Boolean).length / rows);
  });
});

describe('a search', () => {
  it.each<SearchSettings>([{ divergence: 0.2 }, { divergence: 0.02 }, { divergence: 1e-5 }, { divergence: 0 }])(
    'keeps %j',
    (search) => {
      const { model, search: result, changes } = quantizeBySensitivity(small, {}, search, { calibration });
      const measured = new Probe(small, calibration()).compare(model);
      expect(measured).toMatchObject({ agreement: result.agreement, divergence: result.divergence });
      expect(measured.divergence).toBeLessThanOrEqual(search.divergence!);
      expect(result.sensitivities.filter(({ chosen }) => chosen).map(({ coding }) => coding)).toEqual(
        changes.map(({ after }) => after),
      );
    },
  );

  it('prefers what it is told to', () => {
    const made = (['size', 'speed'] as const).map((prefer) => {
      const { model } = quantizeBySensitivity(small, {}, { divergence: 0.05, prefer }, { calibration });
      return { bytes: writeGatefold(model).length, kinds: names.map((name) => model.weights[name]!.input.kind) };
    });
    expect(made[0]!.bytes).toBeLessThanOrEqual(made[1]!.bytes);
    expect(made[1]!.kinds.filter((kind) => kind === 'u7').length).toBeGreaterThanOrEqual(2);
  });

  it('spends less the more is allowed', () => {
    const bytes = [0, 1e-3, 0.02, 0.2].map((divergence) => {
      const { model } = quantizeBySensitivity(small, {}, { divergence }, { calibration });
      return writeGatefold(model).length;
    });
    expect(bytes).toEqual([...bytes].sort((a, b) => b - a));
    expect(bytes[3]).toBeLessThan(bytes[0]! / 2);
  });

  it('leaves alone what is no target', () => {
    const { model } = quantizeBySensitivity(small, { target: ['cell/U'] }, { divergence: 0.5 }, { calibration });
    const changed = Object.keys(small.weights).filter((name) => model.weights[name] !== small.weights[name]);
    expect(changed).toEqual(['cell/U']);
  });

  it('chooses among what it is given', () => {
    const { search } = quantizeBySensitivity(
      small,
      { operand: 'u14' },
      { divergence: 0.1, bits: [3, 5] },
      { calibration },
    );
    const codings = new Set(search.sensitivities.map(({ coding }) => coding));
    expect([...codings].sort()).toEqual(['f16', 'f32', 'int3/row u14', 'int5/row u14']);
  });

  it('keeps the decisions of the digits model in less than uniform bits', async () => {
    const file = readFileSync(new URL('../../../../examples/digits/model/digits-lstm128.h5', import.meta.url));
    const { model } = await readModel(new Uint8Array(file));
    const { inputs } = digits('test');
    const images = inputs.rows!.data.subarray(0, 40 * 28 * 28);
    const name = model.graphs.main!.inputs[0]!.name;
    const context = { calibration: () => [{ inputs: { [name]: images }, batch: 40 }] };
    const { model: made, search } = quantizeBySensitivity(
      model,
      {},
      { agreement: 1, bits: [3, 4, 8], prefer: 'size' },
      context,
    );
    expect(search.agreement).toBe(1);
    const uniform = quantize(model, { bits: 8 }, context).model;
    expect(writeGatefold(made).length).toBeLessThan(writeGatefold(uniform).length);
  });
});

describe('refusals', () => {
  const table: [string, QuantizeOptions, SearchSettings, string][] = [
    ['no bound', {}, {}, 'OPTION_INVALID'],
    ['bias correction', { biasCorrection: true }, { divergence: 1 }, 'OPTION_INVALID'],
    ['mixed settings', { mixed: [{ target: 'U', bits: 8 }] }, { divergence: 1 }, 'OPTION_INVALID'],
    ['impossible bits', { scheme: 'log' }, { divergence: 1, bits: [12] }, 'OPTION_INVALID'],
    ['unknown target', { target: ['nothing'] }, { divergence: 1 }, 'TARGET_EMPTY'],
  ];
  it.each(table)('%s', (_, options, search, code) => {
    expect(() => quantizeBySensitivity(small, options, search, { calibration })).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('no data', () => {
    const refused = expect.objectContaining({ code: 'DATA_INVALID' });
    expect(() => quantizeBySensitivity(small, {}, { divergence: 1 }, {})).toThrow(refused);
    expect(() => quantizeBySensitivity(small, {}, { divergence: 1 }, { calibration: () => [] })).toThrow(refused);
  });
});
