import { decode, denseWeight, type Model, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource } from '../../../runtime/test/support/random.ts';
import { type PruneOptions, prune, quantize } from '../../src/compress/index.ts';
import { outputDifference, shuffleUnits } from './units/support.ts';

describe('units in another order', () => {
  /** An LSTM of which only some blocks matter, and the same one with its units shuffled. */
  function shuffled(seed: number): { tidy: Model; mixed: Model } {
    const random = randomSource(seed);
    const cell = smallModel(seed, cellChoices.lstm!, { features: 6, units: 32 });
    const [name, weight] = Object.entries(cell.weights).find(([key]) => key.endsWith('U'))!;
    const blocks = Array.from({ length: (4 * 32 * 32) / 32 }, () => random() < 0.25);
    const values = decode(weight).map((w, i) => {
      const [row, column] = [Math.floor(i / 32), i % 32];
      return w * (blocks[Math.floor(row / 8) * 8 + Math.floor(column / 4)] ? 1 : 0.05);
    });
    const tidy = { ...cell, weights: { ...cell.weights, [name]: denseWeight(weight.shape, values) } };
    return { tidy, mixed: shuffleUnits(tidy, seed).model };
  }

  it('lets blocks hold more', async () => {
    for (const seed of [1, 2, 3]) {
      const { tidy, mixed } = shuffled(seed);
      /** Share of the squares of U that a cut to 30 % of its blocks keeps. */
      const kept = async (on: Model, options: PruneOptions) => {
        const { model: made } = await prune(
          on,
          { smallest: 1, sparsity: 0.7, target: ['*/U'], ...options },
          undefined,
          {},
        );
        const name = Object.keys(made.weights).find((key) => made.weights[key]!.sparsity)!;
        const energy = (weight: Weight) => decode(weight).reduce((sum, w) => sum + w * w, 0);
        return energy(made.weights[name]!) / energy(on.weights[name]!);
      };
      const best = await kept(tidy, {});
      const lost = best - (await kept(mixed, {}));
      expect(lost).toBeGreaterThan(0.25);
      expect(best - (await kept(mixed, { reorder: true }))).toBeLessThan(0.5 * lost);
    }
  });

  it('are said, or that there are none to change', async () => {
    const { tidy } = shuffled(1);
    const options = { smallest: 1, sparsity: 0.5, reorder: true };
    const { model: made, warnings } = await prune(tidy, options, undefined, {});
    expect(warnings.join()).toContain('changed places');
    const again = [made, quantize(tidy, { bits: 8 }).model].map((model) => prune(model, options, undefined, {}));
    for (const { warnings: said } of await Promise.all(again))
      expect(said.join()).toContain('no units can change places');
  });

  it('with a kept diagonal compute the same before anything is lost', async () => {
    const { tidy } = shuffled(2);
    const least = { smallest: 1, sparsity: 1e-6, reorder: true, diagonal: true };
    const { model: made } = await prune(tidy, least, undefined, {});
    expect(made.weights).not.toEqual(tidy.weights);
    expect(outputDifference(tidy, made)).toBeLessThanOrEqual(1e-6);
  });
});
