import { createSession, decode, denseWeight, type Model, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { type CellChoice, cellChoices, modelOf, recurrentNode } from '../../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../../runtime/test/support/random.ts';
import {
  chooseUnits,
  type PassContext,
  type PruneUnitsOptions,
  pruneUnits,
  removeUnits,
} from '../../../src/compress/index.ts';
import type { Dataset } from '../../../src/data/index.ts';
import { evaluate } from '../../../src/evaluate/index.ts';
import { nodeOf, outputDifference } from './support.ts';

const units = 20;

/** x → cell a → cell b → its last step → dense. */
function stackOf(choice: CellChoice, seed = 5): Model {
  const random = randomSource(seed);
  const weights: Record<string, Weight> = {};
  const a = recurrentNode(random, weights, 'a', choice, 5, units);
  const b = recurrentNode(random, weights, 'b', choice, choice.projection ?? units, units);
  const width = choice.projection ?? units;
  weights['head/kernel'] = denseWeight([2, width], randomValues(random, 2 * width));
  return modelOf('stack', weights, {
    inputs: [{ name: 'x', shape: ['batch', 'time', 5], dtype: 'float32' }],
    outputs: [{ name: 'out', value: 'head.y' }],
    nodes: [
      a,
      { ...b, inputs: { x: 'a.y' } },
      nodeOf('last', 'last', { x: 'b.y' }),
      nodeOf('head', 'dense', { x: 'last.y' }, ['kernel']),
    ],
    states: [],
  });
}

/** Sequences, and whether their first feature sums to more than nothing. */
function task(count: number, seed = 3): Dataset {
  const random = randomSource(seed);
  const steps = 6;
  const data = randomValues(random, count * steps * 5);
  const labels = Float32Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let t = 0; t < steps; t++) sum += data[(i * steps + t) * 5]!;
    return sum > 0 ? 1 : 0;
  });
  return {
    ...{ name: 'sums', task: 'classify', count },
    inputs: { x: { shape: [count, steps, 5], data } },
    targets: { shape: [count], data: labels },
  };
}

const context: PassContext = { training: task(256), seed: 1 };
const widths = (model: Model) => model.graphs.main!.nodes.flatMap(({ attributes }) => attributes.units ?? []);

/** The model with unit `copy` of layer a made equal to unit `of`: its rows, what it hears included. */
function redundant(model: Model, copy: number, of: number): Model {
  const weights = { ...model.weights };
  for (const name of Object.keys(weights).filter((weight) => /^a\/(W|U|b|bR|P)$/.test(weight))) {
    const { shape } = weights[name]!;
    const values = decode(weights[name]!).slice();
    const width = shape[1] ?? 1;
    for (let gate = 0; gate < shape[0]! / units; gate++) {
      const row = (unit: number) => values.subarray((gate * units + unit) * width, (gate * units + unit + 1) * width);
      row(copy).set(row(of));
    }
    weights[name] = denseWeight(shape, values);
  }
  return { ...model, weights };
}

describe('units that others say are found and made up for', () => {
  const exact = ['lstm', 'lstmPeephole', 'lstmCoupled', 'lstmNoBias', 'gruAfter', 'rnn', 'rnnRelu'];
  it.each(exact)('%s', async (name) => {
    const model = redundant(stackOf(cellChoices[name]!), 3, 11);
    const kept = chooseUnits(model, { units: units - 1, criterion: 'spectral', target: ['a'] }, context);
    expect(kept.a).toHaveLength(units - 1);
    expect([3, 11].filter((unit) => !kept.a!.includes(unit))).toHaveLength(1);
    const { model: small, changes } = await pruneUnits(
      model,
      { units: units - 1, criterion: 'spectral', target: ['a'] },
      context,
    );
    expect(changes).toEqual([{ place: 'a', before: '20 units', after: '19 units' }]);
    const bare = removeUnits(model, kept);
    expect(outputDifference(model, small)).toBeLessThan(outputDifference(model, bare) / 20);
    expect(outputDifference(model, small)).toBeLessThan(1e-3);
  });

  it('a unit that stands still moves into the biases, also where there were none', async () => {
    const model = stackOf(cellChoices.gruAfter!);
    const weights = { ...model.weights };
    const values = decode(weights['a/W']!).slice();
    const recurrent = decode(weights['a/U']!).slice();
    const biases = [decode(weights['a/b']!).slice(), decode(weights['a/bR']!).slice()] as const;
    for (const gate of [0, 1, 2]) {
      values.fill(0, (gate * units + 4) * 5, (gate * units + 5) * 5);
      recurrent.fill(0, (gate * units + 4) * units, (gate * units + 5) * units);
      // The update gate lets everything in at once: h is tanh(1) from the first step on.
      biases[0][gate * units + 4] = [-60, 0, 1][gate]!;
      biases[1][gate * units + 4] = 0;
    }
    weights['a/W'] = denseWeight([3 * units, 5], values);
    weights['a/U'] = denseWeight([3 * units, units], recurrent);
    weights['a/b'] = denseWeight([3 * units], biases[0]);
    weights['a/bR'] = denseWeight([3 * units], biases[1]);
    const { b: _, ...rest } = model.graphs.main!.nodes[1]!.weights;
    const nodes = model.graphs.main!.nodes.map((node) => (node.name === 'b' ? { ...node, weights: rest } : node));
    const still = { ...model, weights, graphs: { main: { ...model.graphs.main!, nodes } } };
    const options: PruneUnitsOptions = { units: units - 1, criterion: 'spectral', target: ['a'] };
    expect(chooseUnits(still, options, context).a).not.toContain(4);
    const { model: small } = await pruneUnits(still, options, context);
    expect(small.graphs.main!.nodes[1]!.weights.b).toBeDefined();
    // Only the state before the first step, which is zero, is not said by the bias.
    expect(outputDifference(still, small)).toBeLessThan(
      0.1 * outputDifference(still, removeUnits(still, chooseUnits(still, options, context))),
    );
  });

  it('units behind a projection, which no value of the graph shows', async () => {
    const model = redundant(stackOf({ cell: 'lstm', roles: ['b', 'R'], projection: 6 }), 3, 11);
    const { model: small } = await pruneUnits(
      model,
      { units: units - 1, criterion: 'spectral', target: ['a/units'] },
      context,
    );
    expect(small.weights['a/R']!.shape).toEqual([6, units - 1]);
    expect(outputDifference(model, small)).toBeLessThan(1e-3);
  });
});

describe('choosing', () => {
  const model = stackOf(cellChoices.lstm!);
  const criteria = ['magnitude', 'random', 'gradient', 'taylor', 'spectral'] as const;

  it.each(criteria)('%s keeps the share, the same every time', async (criterion) => {
    const [first, second] = [
      await pruneUnits(model, { units: 0.4, criterion }, context),
      await pruneUnits(model, { units: 0.4, criterion }, context),
    ];
    expect(widths(first.model)).toEqual([8, 8]);
    expect(first.model).toEqual(second.model);
    expect(() => createSession(first.model)).not.toThrow();
  });

  it.each<[string, PruneUnitsOptions, number[]]>([
    ['shares go to multiples of 8', { units: 0.7 }, [16, 16]],
    ['but not where one is asked for', { units: 0.7, multiple: 1 }, [14, 14]],
    ['or another', { units: 0.5, multiple: 4 }, [12, 12]],
    ['numbers stand as they are', { units: 13 }, [13, 13]],
    ['a layer that has fewer keeps them', { units: 30 }, [20, 20]],
    ['layers by address', { units: 0.4, target: ['b'] }, [20, 8]],
  ])('%s', async (_, options, expected) => {
    expect(widths((await pruneUnits(model, options, context)).model)).toEqual(expected);
  });

  it('says what it rounded, and what stayed', async () => {
    expect((await pruneUnits(model, { units: 0.7 }, context)).warnings).toEqual([
      'a keeps 16 of 20 units (asked: 14): rounded to a multiple of 8',
      'b keeps 16 of 20 units (asked: 14): rounded to a multiple of 8',
    ]);
    expect((await pruneUnits(model, { units: 30 }, context)).warnings).toEqual([
      'a keeps all its 20 units',
      'b keeps all its 20 units',
    ]);
  });

  it('removes weak units first', () => {
    const weights = { ...model.weights };
    const weak = [1, 4, 17];
    for (const [name, by] of [
      ['a/W', 'row'],
      ['a/U', 'row'],
      ['a/b', 'row'],
      ['a/U', 'column'],
      ['b/W', 'column'],
    ] as const) {
      const { shape } = weights[name]!;
      const width = shape[1] ?? 1;
      const values = decode(weights[name]!).map((value, i) => {
        const unit = by === 'row' ? Math.floor(i / width) % units : i % width;
        return weak.includes(unit) ? value * 0.01 : value;
      });
      weights[name] = denseWeight(shape, values);
    }
    for (const criterion of ['magnitude', 'taylor'] as const) {
      const kept = chooseUnits({ ...model, weights }, { units: 17, criterion, target: ['a'] }, context);
      expect(
        kept.a!.filter((unit) => weak.includes(unit)),
        criterion,
      ).toEqual([]);
    }
  });

  it('global: layers lose what matters least, and none its last units', () => {
    const kept = chooseUnits(model, { units: 0.5, multiple: 1, scope: 'global', criterion: 'taylor' }, context);
    expect(kept.a!.length + kept.b!.length).toBe(20);
    const little = chooseUnits(model, { units: 0.05, multiple: 1, scope: 'global' }, context);
    expect(little.a!.length).toBeGreaterThan(0);
    expect(little.b!.length).toBeGreaterThan(0);
  });

  it.each<[string, PruneUnitsOptions, PassContext, RegExp]>([
    ['nothing asked', {}, context, /OPTION_INVALID.*"units"/s],
    ['no share', { units: 1 }, context, /a share below 1/],
    ['a broken number', { units: 2.5 }, context, /whole number of units/],
    ['a negative share', { units: -1 }, context, /OPTION_INVALID/],
    ['an empty layer', { units: 0.01 }, context, /no unit of "a" would be left/],
    ['an unknown layer', { units: 0.5, target: ['nobody'] }, context, /TARGET_EMPTY.*"nobody".*a, b, head/s],
    ['a layer that must stay', { units: 0.5, target: ['head'] }, context, /head: it reaches output "out"/],
    ['a number for all layers together', { units: 9, scope: 'global' }, context, /scope global/],
    ['gradients without data', { units: 0.5, criterion: 'taylor' }, {}, /DATA_INVALID.*targets/s],
    ['covariances without data', { units: 0.5, criterion: 'spectral' }, {}, /DATA_INVALID/],
    ['compensation without data', { units: 0.5, compensate: true }, {}, /DATA_INVALID/],
    ['lasso without training', { lasso: 0.1 }, context, /"train"/],
    ['lasso and a share', { lasso: 0.1, units: 0.5, train: {} }, context, /"units"/],
  ])('refuses %s', async (_, options, given, message) => {
    await expect(pruneUnits(model, options, given)).rejects.toThrow(message);
  });
});

describe('with training', () => {
  it('group lasso makes whole units vanish, and the smaller model is what was trained', {
    timeout: 60_000,
  }, async () => {
    const model = stackOf(cellChoices.lstm!);
    const train = { epochs: 20, optimizer: 'sgd', rate: 0.5, batch: 16 } as const;
    const { model: small, changes } = await pruneUnits(model, { lasso: 0.004, train }, context);
    expect(changes).toHaveLength(2);
    for (const width of widths(small) as number[]) expect(width).toBeLessThan(units / 2);
    const { metrics } = await evaluate(small, task(500, 9));
    expect(metrics.accuracy).toBeGreaterThan(0.85);
    await expect(pruneUnits(model, { lasso: 100, train }, context)).rejects.toThrow(/no unit of "a" is left/);
    const idle = await pruneUnits(model, { lasso: 1e-9, train: { ...train, epochs: 1 } }, context);
    expect(idle.warnings).toEqual(['no unit vanished: raise the weight of the lasso, or train longer']);
  });

  it('fine-tunes the smaller model', { timeout: 60_000 }, async () => {
    const model = stackOf(cellChoices.gruAfter!);
    const bare = await pruneUnits(model, { units: 8 }, context);
    const tuned = await pruneUnits(model, { units: 8, train: { epochs: 1, distill: 0.5 } }, context);
    expect(widths(tuned.model)).toEqual([8, 8]);
    expect(tuned.changes).toEqual(bare.changes);
    expect(tuned.model.weights['a/U']).not.toEqual(bare.model.weights['a/U']);
  });
});
