import { readFileSync } from 'node:fs';
import { decode, denseWeight, type GatefoldError, keptWeights, type Model, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import digits from '../../../../examples/digits/data.mjs';
import { cellChoices, modelOf, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { type Criterion, finetune, keepZeros, type PruneOptions, prune, quantize } from '../../src/compress/index.ts';
import { blockMeans, chooseKept, gridOf } from '../../src/compress/prune/masks.ts';
import { settle } from '../../src/compress/prune/options.ts';
import { settleSchedule, shareAt } from '../../src/compress/prune/schedule.ts';
import type { Chosen } from '../../src/compress/prune/select.ts';
import { batches, fitToModel, sliceDataset } from '../../src/data/index.ts';
import { evaluate } from '../../src/evaluate/index.ts';
import { readModel } from '../../src/formats/index.ts';
import { modelFor, train } from '../../src/train/index.ts';
import { bits, recall, text } from '../support/tasks.ts';

function matrixOf(rows: number, columns: number, gates: number, more: Partial<Chosen> = {}): Chosen {
  const place = {
    node: { name: 'cell' },
    role: 'U',
    weight: 'U',
    gates: gates > 1 ? 'ifgo'.slice(0, gates).split('') : undefined,
  };
  return {
    ...{ place: place as unknown as Chosen['place'], rows, columns, gateRows: rows / gates },
    ...{ shares: Array.from({ length: gates }, () => 0.5), diagonal: false },
    ...more,
  };
}

/** Share of the weights of a matrix, or of some of its rows, that are gone. */
function removed(weight: Pick<Weight, 'shape' | 'sparsity'>, from = 0, to = weight.shape[0]!): number {
  const columns = weight.shape.slice(1).reduce((a, b) => a * b, 1);
  const kept = keptWeights(weight)!.subarray(from * columns, to * columns);
  return kept.reduce((sum, bit) => sum + 1 - bit, 0) / kept.length;
}

describe('what is kept', () => {
  const random = randomSource(7);
  const shapes = Array.from({ length: 30 }, () => {
    const gates = 1 + Math.floor(random() * 4);
    const gateRows = 1 + Math.floor(random() * 40);
    const block = [1 + Math.floor(random() * 9), 1 + Math.floor(random() * 5)] as const;
    return { gates, rows: gates * gateRows, columns: 1 + Math.floor(random() * 50), block };
  });

  it('has the scores and the share that were asked for, gate by gate, whatever the shape', () => {
    for (const { gates, rows, columns, block } of shapes) {
      const matrix = matrixOf(rows, columns, gates);
      const blocksPerGate = Math.ceil(rows / gates / block[0]) * Math.ceil(columns / block[1]);
      if (blocksPerGate < 4) continue;
      const scores = Float64Array.from({ length: rows * columns }, () => random());
      const settled = settle({ sparsity: 0.5, block }, false);
      const [sparsity] = chooseKept([matrix], [scores], settled);
      const grid = gridOf(matrix, block);
      const means = blockMeans(scores, matrix, block, grid);
      for (let gate = 0; gate < gates; gate++) {
        const own = Array.from({ length: blocksPerGate }, (_, i) => gate * blocksPerGate + i);
        const worst = Math.min(...own.filter((i) => sparsity!.kept[i]).map((i) => means[i]!));
        const best = Math.max(...own.filter((i) => !sparsity!.kept[i]).map((i) => means[i]!));
        expect(worst).toBeGreaterThanOrEqual(best);
        const gone = removed(
          { shape: [rows, columns], sparsity: sparsity! },
          (gate * rows) / gates,
          ((gate + 1) * rows) / gates,
        );
        expect(Math.abs(gone - 0.5) * (rows / gates) * columns).toBeLessThanOrEqual((block[0] * block[1]) / 2 + 1e-9);
      }
    }
  });

  it('is n of every m along a row', () => {
    const scores = Float64Array.from({ length: 6 * 10 }, () => random());
    const [sparsity] = chooseKept([matrixOf(6, 10, 1)], [scores], settle({ pattern: [2, 4] }, false));
    for (let row = 0; row < 6; row++) {
      for (const [from, width, stay] of [
        [0, 4, 2],
        [4, 4, 2],
        [8, 2, 1],
      ] as const) {
        const at = Array.from({ length: width }, (_, i) => row * 10 + from + i);
        const kept = at.filter((i) => sparsity!.kept[i]);
        expect(kept).toHaveLength(stay);
        const least = Math.min(...kept.map((i) => scores[i]!));
        expect(at.filter((i) => scores[i]! > least).every((i) => sparsity!.kept[i])).toBe(true);
      }
    }
  });

  it('includes the diagonal of each gate where asked', () => {
    const matrix = matrixOf(24, 12, 2, { diagonal: true });
    const scores = new Float64Array(24 * 12);
    const [sparsity] = chooseKept([matrix], [scores], settle({ sparsity: 0.5, block: [4, 4], diagonal: true }, false));
    const kept = keptWeights({ shape: [24, 12], sparsity: sparsity! })!;
    for (let row = 0; row < 24; row++) expect(kept[row * 12 + (row % 12)]).toBe(1);
    expect(removed({ shape: [24, 12], sparsity: sparsity! })).toBeGreaterThan(0.4);
  });

  it('is shared out among matrices by their scores where the share is of all together', () => {
    const [a, b] = [matrixOf(16, 16, 1), matrixOf(16, 16, 1)];
    // The second has a few weights that matter and many that do not.
    const even = Float64Array.from({ length: 256 }, () => 0.9 + 0.2 * random());
    const uneven = Float64Array.from({ length: 256 }, (_, i) => (i % 8 === 0 ? 8 : 0.01 * random()));
    const kept = chooseKept([a, b], [even, uneven], settle({ sparsity: 0.4, block: [1, 1], scope: 'global' }, false));
    expect(removed({ shape: [16, 16], sparsity: kept[1]! })).toBeGreaterThan(0.75);
    expect(removed({ shape: [16, 16], sparsity: kept[0]! })).toBeLessThan(0.05);
  });
});

it('schedules rise from the beginning to the whole', () => {
  const cubic = settleSchedule({ begin: 0.1, end: 0.6 });
  expect(shareAt(cubic, 0.05)).toBe(0);
  // Zhu & Gupta 2017, equation 1, half way: 1 − (1 − 0.5)³.
  expect(shareAt(cubic, 0.35)).toBeCloseTo(0.875, 12);
  expect(shareAt(cubic, 0.6)).toBe(1);
  expect(shareAt(settleSchedule({ shape: 'linear', end: 0.5, initial: 0.2 }), 0.25)).toBeCloseTo(0.6, 12);
  const points = settleSchedule({
    shape: [
      [0.2, 0.5],
      [0.4, 0.5],
      [0.8, 1],
    ],
  });
  expect([0, 0.1, 0.3, 0.6, 0.9].map((t) => shareAt(points, t))).toEqual([0, 0.25, 0.5, 0.75, 1]);
});

const model = smallModel(3, cellChoices.lstm!, { features: 6, units: 16 });
const once = (options: PruneOptions, on: Model = model) => prune(on, { smallest: 1, ...options }, undefined, {});

describe('at once', () => {
  it('takes away what is below a threshold, and nothing else', async () => {
    const { model: made } = await once({ threshold: 0.1, target: ['*/U'] });
    const [name, ...others] = Object.keys(model.weights).filter((key) => made.weights[key]!.sparsity);
    expect(others).toEqual([]);
    const expected = decode(model.weights[name!]!).map((w) => (Math.abs(w) < Math.fround(0.1) ? 0 : w));
    expect(decode(made.weights[name!]!)).toEqual(expected);
  });

  it.each([
    [{ sparsity: 1 }, 'OPTION_INVALID'],
    [{}, 'OPTION_INVALID'],
    [{ sparsity: 0.5, threshold: 1 }, 'OPTION_INVALID'],
    [{ threshold: 100 }, 'OPTION_INVALID'],
    [{ sparsity: 0.9999, block: [1, 1] }, 'OPTION_INVALID'],
    [{ sparsity: 0.5, target: ['no/such'] }, 'TARGET_EMPTY'],
    [{ sparsity: 0.5, criterion: 'movement' }, 'OPTION_INVALID'],
    [{ sparsity: 0.5, criterion: 'obs' }, 'DATA_INVALID'],
    [{ sparsity: 0.5, criterion: 'wanda' }, 'DATA_INVALID'],
    [{ sparsity: 0.5, criterion: 'fisher' }, 'DATA_INVALID'],
    [{ sparsity: 0.5, schedule: { shape: 'cubic' } }, 'OPTION_INVALID'],
    [{ pattern: [4, 2] }, 'OPTION_INVALID'],
    [{ sparsity: 0.5, block: [1, 1], reorder: true }, 'OPTION_INVALID'],
  ] as [PruneOptions, string][])('%j is refused: %s', async (options, code) => {
    await expect(once(options)).rejects.toMatchObject({ code });
  });

  it('names the gate that would be empty', async () => {
    const error = await once({ threshold: 100, target: ['*/U/forget'] }).catch((e: GatefoldError) => e);
    expect((error as GatefoldError).detail.place).toMatch(/U\/forget$/);
  });

  it.each(['linear', 'log', 'pow2', 'codebook'] as const)('stays zero in %s codes', async (scheme) => {
    const { model: pruned } = await once({ sparsity: 0.7, block: [1, 1] });
    for (const width of [3, 4, 8]) {
      const { model: coded } = quantize(pruned, { scheme, bits: width });
      for (const [name, weight] of Object.entries(pruned.weights)) {
        if (!weight.sparsity) continue;
        const values = decode(coded.weights[name]!);
        expect(coded.weights[name]!.sparsity).toEqual(weight.sparsity);
        keptWeights(weight)!.forEach((bit, i) => {
          if (!bit) expect(Math.abs(values[i]!)).toBe(0);
        });
      }
    }
  });

  it('cannot be followed by codes without a zero', async () => {
    const { model: pruned } = await once({ sparsity: 0.7, block: [1, 1] });
    expect(() => quantize(pruned, { bits: 4, symmetric: false })).toThrowError(/exactly zero/);
  });
});

describe('optimal brain surgery', () => {
  // One output: of its weights the first goes, because it is the smallest by far.
  const n = 7;
  const random = randomSource(5);
  const count = 200;
  const x = Float32Array.from({ length: count * n }, () => random() - 0.3);
  // Neighbours are alike, so that there is something to take over.
  for (let i = 0; i < x.length; i++) if (i % n > 0) x[i] = 0.6 * x[i - 1]! + 0.4 * x[i]!;
  const w = Float32Array.from({ length: n }, (_, i) => (i === 0 ? 0.05 : 0.5 + random()));
  const dense: Model = modelOf(
    'dense',
    { kernel: denseWeight([1, n], w), bias: denseWeight([1], Float32Array.of(0.25)) },
    {
      inputs: [{ name: 'x', shape: ['batch', n], dtype: 'float32' }],
      outputs: [{ name: 'y', value: 'y' }],
      nodes: [
        {
          ...{ name: 'dense', op: 'dense', inputs: { x: 'x' }, outputs: { y: 'y' }, attributes: {} },
          weights: { kernel: 'kernel', bias: 'bias' },
        },
      ],
      states: [],
    },
  );
  const calibration = () => [{ inputs: { x }, batch: count }];
  const asked: PruneOptions = { sparsity: 1 / n, block: [1, 1], criterion: 'obs', smallest: 1 };

  it('repairs as least squares do, bias included', async () => {
    const { model: made } = await prune(dense, asked, undefined, { calibration });
    const v = decode(made.weights.kernel!);
    expect(v[0]).toBe(0);
    expect(made.weights.kernel!.sparsity!.kept[0]).toBe(0);
    const [before, after] = [
      [...w, decode(dense.weights.bias!)[0]!],
      [...v, decode(made.weights.bias!)[0]!],
    ];
    const change = before.map((value, j) => value - after[j]!);
    // At the minimum of (w − v)ᵀ(H + damping)(w − v) with v₀ = 0 the slope vanishes in every free direction.
    const z = (row: number) => [...x.subarray(row * n, (row + 1) * n), 1];
    const h = Array.from({ length: n + 1 }, () => new Float64Array(n + 1));
    for (let row = 0; row < count; row++) {
      const line = z(row);
      for (let i = 0; i <= n; i++) for (let j = 0; j <= n; j++) h[i]![j]! += line[i]! * line[j]!;
    }
    const damping = (0.01 * h.reduce((sum, line, i) => sum + line[i]!, 0)) / (n + 1);
    for (let i = 1; i <= n; i++) {
      const slope = damping * change[i]! + change.reduce((sum, value, j) => sum + h[i]![j]! * value, 0);
      // Without the repair of the others it would be h[i][0]·w[0].
      expect(Math.abs(slope)).toBeLessThan(1e-4 * Math.abs(h[i]![0]! * w[0]!));
    }
  });

  it('is refused for codes, which cannot take over', async () => {
    const { model: coded } = quantize(dense, { bits: 8 });
    await expect(prune(coded, asked, undefined, { calibration })).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
  });

  it('leaves gates that multiply what nobody sees unrepaired', async () => {
    const gru = smallModel(3, cellChoices.gruBefore!, { features: 6, units: 16 });
    const data = () => [{ inputs: { x: randomValues(randomSource(2), 8 * 12 * 6) }, batch: 8 }];
    const options: PruneOptions = { ...asked, sparsity: 0.5, target: ['*/U'] };
    const { model: made } = await prune(gru, options, undefined, { calibration: data });
    const name = Object.keys(gru.weights).find((key) => made.weights[key]!.sparsity)!;
    const [before, after] = [decode(gru.weights[name]!), decode(made.weights[name]!)];
    const moved = (gate: number) => {
      const rows = after.subarray(gate * 16 * 16, (gate + 1) * 16 * 16);
      return rows.filter((value, i) => value !== 0 && value !== before[gate * 16 * 16 + i]!).length;
    };
    expect(moved(0)).toBeGreaterThan(50);
    expect(moved(1)).toBeGreaterThan(50);
    expect(moved(2)).toBe(0);
  });
});

describe('on the digits model, without retraining', () => {
  it('criteria that look at data are better than chance and than magnitude', { timeout: 120_000 }, async () => {
    const file = new URL('../../../../examples/digits/model/digits-lstm128.h5', import.meta.url);
    const { model: float } = await readModel(new Uint8Array(readFileSync(file)));
    const data = fitToModel(digits('train'), float);
    const few = sliceDataset(data, 0, 512);
    const test = sliceDataset(fitToModel(digits('test'), float), 0, 2000);
    const accuracy: Partial<Record<Criterion, number>> = {};
    for (const criterion of ['random', 'magnitude', 'wanda', 'obs', 'taylor'] as const) {
      const context = { calibration: () => batches(few, 64), training: few };
      const { model: made } = await prune(float, { sparsity: 0.7, block: [1, 1], criterion }, undefined, context);
      accuracy[criterion] = (await evaluate(made, test)).metrics.accuracy!;
    }
    expect(accuracy.random).toBeLessThan(0.5);
    expect(accuracy.taylor).toBeGreaterThan(accuracy.random! + 0.1);
    expect(accuracy.magnitude).toBeGreaterThan(accuracy.random! + 0.3);
    expect(accuracy.wanda).toBeGreaterThan(accuracy.magnitude! + 0.02);
    expect(accuracy.obs).toBeGreaterThan(0.97);
  });
});

describe('while training', () => {
  const data = recall(256, 1);
  const settings = { epochs: 10, batch: 16, rate: 0.01, holdOut: 0.2 };
  const options: PruneOptions = { sparsity: 0.7, block: [4, 4], smallest: 100 };
  const trained = train(modelFor('lstm:24 dense', data), data, {
    ...{ epochs: 12, batch: 16 },
    optimizer: { name: 'adam', rate: 0.02, clipNorm: 1 },
  });

  it.each([
    ['cubic', 'magnitude'],
    ['linear', 'taylor'],
    ['cubic', 'movement'],
    ['cubic', 'fisher'],
    ['once', 'magnitude'],
    ['rigl', 'random'],
  ] as const)('%s by %s keeps what was learnt', async (shape, criterion) => {
    const { model: start } = await trained;
    const { model: made } = await prune(start, { ...options, criterion, schedule: { shape } }, settings, {
      training: data,
    });
    const sparse = Object.values(made.weights).filter((weight) => weight.sparsity);
    expect(sparse.length).toBeGreaterThan(0);
    for (const weight of sparse) {
      expect(Math.abs(removed(weight) - 0.7)).toBeLessThan(0.05);
      const values = decode(weight);
      keptWeights(weight)!.forEach((bit, i) => {
        if (!bit) expect(Math.abs(values[i]!)).toBe(0);
      });
    }
    expect((await evaluate(made, recall(200, 2))).metrics.accuracy).toBeGreaterThan(0.93);
  });

  it('what is removed stays removed in later training, coded or not, and when another tool removed it', async () => {
    const { model: start } = await trained;
    const { model: pruned } = await prune(start, { ...options, block: [1, 1] }, undefined, {});
    const foreign = {
      ...pruned,
      weights: Object.fromEntries(
        Object.entries(pruned.weights).map(([name, { shape, ...weight }]) => [
          name,
          denseWeight(shape, decode({ shape, ...weight })),
        ]),
      ),
    };
    const variants = [pruned, foreign, quantize(pruned, { bits: 4 }).model];
    for (const variant of variants) {
      const { model: later } = await finetune(variant, { ...settings, epochs: 2 }, { training: data });
      for (const [name, weight] of Object.entries(pruned.weights)) {
        if (!weight.sparsity) continue;
        expect(later.weights[name]!.sparsity).toBeDefined();
        const values = decode(later.weights[name]!);
        keptWeights(weight)!.forEach((bit, i) => {
          if (!bit) expect(Math.abs(values[i]!)).toBe(0);
        });
      }
    }
    const names = Object.keys(keepZeros(foreign).weights).filter((name) => keepZeros(foreign).weights[name]!.sparsity);
    expect(names).toEqual(Object.keys(pruned.weights).filter((name) => pruned.weights[name]!.sparsity));
  });

  it.each([
    ['cubic', 'movement'],
    ['rigl', 'magnitude'],
  ] as const)('%s by %s goes on from a checkpoint with the same bits', async (shape, criterion) => {
    const long = text(600);
    const start = modelFor('embedding:4 lstm:16 dense', long);
    const asked: PruneOptions = {
      sparsity: 0.5,
      block: [4, 4],
      smallest: 100,
      criterion,
      schedule: { shape, every: 3 },
    };
    const run = { epochs: 4, batch: 4, bptt: 12 };
    const saved: Parameters<NonNullable<Parameters<typeof prune>[3]['checkpoints']>['save']>[0][] = [];
    const save = async (made: (typeof saved)[number]) => void saved.push(made);
    const whole = await prune(start, asked, run, { training: long, checkpoints: { save } });
    const resumed = await prune(start, asked, run, {
      training: long,
      checkpoints: { save: async () => {}, resume: saved[1]! },
    });
    expect(saved.length).toBeGreaterThan(2);
    expect(bits(resumed.model)).toEqual(bits(whole.model));
    expect(Object.values(resumed.model.weights).map((weight) => weight.sparsity)).toEqual(
      Object.values(whole.model.weights).map((weight) => weight.sparsity),
    );
  });
});

it('values of random matrices are what they were where they stay', async () => {
  const random = randomSource(9);
  const values = randomValues(random, 64 * 16);
  const weights: Record<string, Weight> = { ...model.weights };
  const name = Object.keys(weights).find((key) => weights[key]!.shape.join() === '64,16')!;
  weights[name] = denseWeight([64, 16], values);
  const { model: made } = await once({ sparsity: 0.6 }, { ...model, weights });
  const kept = keptWeights(made.weights[name]!)!;
  expect(decode(made.weights[name]!)).toEqual(values.map((value, i) => (kept[i] ? value : 0)));
});
