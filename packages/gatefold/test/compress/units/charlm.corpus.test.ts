import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Model, writeGatefold } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { type PruneUnitsOptions, pruneUnits } from '../../../src/compress/index.ts';
import { datasetFromFile } from '../../../src/data/index.ts';
import { evaluateAll } from '../../../src/evaluate/index.ts';
import { readModel } from '../../../src/formats/index.ts';

const fixture = (name: string) => readFileSync(new URL(`../../../../../fixtures/charlm/${name}`, import.meta.url));

function corpusText(): string {
  const folder = `${process.env.GATEFOLD_CORPUS}/data/tinyshakespeare/`;
  const file = readdirSync(folder).find((name) => /\.txt(\.gz)?$/.test(name))!;
  const bytes = readFileSync(folder + file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}

/** Options, and the most that perplexity may grow, one shot. */
const table: [string, PruneUnitsOptions, number][] = [
  ['3/4 by magnitude', { units: 0.75 }, 1],
  ['3/4 by magnitude, compensated', { units: 0.75, compensate: true }, 0.1],
  ['3/4 at random', { units: 0.75, criterion: 'random' }, 0.7],
  ['3/4 spectral', { units: 0.75, criterion: 'spectral' }, 0.05],
  ['1/2 by magnitude', { units: 0.5 }, 4],
  ['1/2 spectral', { units: 0.5, criterion: 'spectral' }, 0.26],
];

// The last tenth of tinyshakespeare was held out in training (interop/train_charlm.py); state carried over 50,000 characters.
it('a character LM, LSTM-256, loses units', { timeout: 300_000 }, async () => {
  const { model } = await readModel(new Uint8Array(fixture('charlm-lstm256.h5')));
  const text = corpusText();
  const vocabulary = JSON.parse(fixture('vocab.json').toString()) as string[];
  const data = (part: string) => datasetFromFile('text.txt', new TextEncoder().encode(part), { vocabulary });
  const cut = Math.floor(text.length * 0.9);
  const training = data(text.slice(0, cut));
  const small: Model[] = [];
  for (const [, options] of table) small.push((await pruneUnits(model, options, { training })).model);
  const [float, ...results] = await evaluateAll([model, ...small], data(text.slice(cut, cut + 50_000)));
  const before = float!.evaluation.metrics.perplexity!;
  results.forEach(({ evaluation }, i) => {
    const [name, , most] = table[i]!;
    const after = evaluation.metrics.perplexity!;
    const bytes = `${writeGatefold(model).length} → ${writeGatefold(small[i]!).length} bytes`;
    process.stdout.write(`${name}: perplexity ${before.toFixed(3)} → ${after.toFixed(3)}, ${bytes}\n`);
    expect(after / before - 1, name).toBeLessThanOrEqual(most);
  });
});
