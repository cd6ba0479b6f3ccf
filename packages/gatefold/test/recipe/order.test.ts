import { decode, GatefoldError, keptWeights, type Model } from '@gatefold/runtime';
import { beforeAll, expect, it } from 'vitest';
import { batches, fitToModel } from '../../src/data/index.ts';
import { type RecipeStep, runRecipe } from '../../src/recipe/index.ts';
import { modelFor } from '../../src/train/index.ts';
import { text } from '../support/tasks.ts';

const train = { epochs: 1, batch: 4, bptt: 16 };
const steps: readonly [name: string, step: RecipeStep][] = [
  ['prune', { pass: 'prune', sparsity: 0.5, block: [4, 4] }],
  ['prune, trained', { pass: 'prune', sparsity: 0.5, block: [4, 4], train }],
  ['prune-units', { pass: 'prune-units', units: 0.75 }],
  ['prune-tokens', { pass: 'prune-tokens', tokens: 4, unknown: 'a' }],
  ['quantize', { pass: 'quantize', bits: 8 }],
  ['quantize, codebook', { pass: 'quantize', bits: 4, scheme: 'codebook' }],
  ['quantize, asymmetric', { pass: 'quantize', bits: 8, symmetric: false }],
  ['quantize, trained', { pass: 'quantize', bits: 4, train }],
  ['finetune', { pass: 'finetune', ...train }],
];
const data = text(512);
const context = { training: data, calibration: (model: Model) => batches(fitToModel(data, model), 32) };
let start: Model;
beforeAll(() => {
  start = modelFor('embedding:16 lstm:16 lstm:16 dense', data);
});

/** What of the first step is still there after the second; refusals by what they say. */
async function outcome(first: RecipeStep, second: RecipeStep): Promise<string> {
  const { model: once } = await runRecipe(start, { version: 1, steps: [first] }, context);
  let twice: Model;
  try {
    twice = (await runRecipe(once, { version: 1, steps: [second] }, context)).model;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    return `refused: ${error.message.replace(/^\w+: /, '').split('\n')[0]}`;
  }
  const sparse = Object.entries(once.weights).filter(([, { sparsity }]) => sparsity);
  // Zeros stay, unless units or tokens go: then matrices are others; or the choice is made anew.
  if (second.pass !== 'prune-units' && second.pass !== 'prune-tokens' && second.pass !== 'prune') {
    for (const [name, weight] of sparse) {
      const values = decode(twice.weights[name]!);
      const kept = keptWeights(weight)!;
      expect(twice.weights[name]!.sparsity, name).toBeDefined();
      expect(
        values.every((value, i) => kept[i] === 1 || value === 0),
        name,
      ).toBe(true);
    }
  }
  const coded = (model: Model) =>
    Object.values(model.weights).filter(({ encoding }) => encoding.kind !== 'dense').length;
  if (second.pass !== 'quantize') expect(coded(twice)).toBe(coded(once));
  return 'yes';
}

it('of two passes some work in one order only: docs/passes.md says which', { timeout: 180_000 }, async () => {
  const rows: string[] = [];
  const reasons: string[] = [];
  for (const [name, first] of steps) {
    const cells: string[] = [];
    for (const [, second] of steps) {
      // A vocabulary that shrinks again.
      const result = await outcome(first, second.pass === 'prune-tokens' ? { ...second, tokens: 3 } : second);
      if (result === 'yes') cells.push('yes');
      else {
        const known = reasons.indexOf(result);
        cells.push(`no (${known < 0 ? reasons.push(result) : known + 1})`);
      }
    }
    rows.push(`| **${name}** | ${cells.join(' | ')} |`);
  }
  const names = steps.map(([name]) => name);
  const page = `# Passes after passes

Made and checked by \`packages/gatefold/test/recipe/order.test.ts\`, which runs every pair on a stacked LSTM that reads a text: the pass of the row first, that
of the column after it. "Yes" means that it runs and that the first one's work is still there: what was removed is still zero, what
was coded is still coded.

The order that loses least: remove tokens and units, then weights, both with training, then quantize, with training where bits are few.

| first, then | ${names.join(' | ')} |
| --- |${names.map(() => ' --- |').join('')}
${rows.join('\n')}

${reasons.map((reason, i) => `${i + 1}. ${reason}`).join('\n')}
`;
  await expect(page).toMatchFileSnapshot('../../../../docs/passes.md');
});
