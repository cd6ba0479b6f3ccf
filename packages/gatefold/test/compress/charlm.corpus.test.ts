import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readGatefold, writeGatefold } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { type QuantizeOptions, quantize } from '../../src/compress/index.ts';
import { datasetFromFile } from '../../src/data/index.ts';
import { evaluateAll } from '../../src/evaluate/index.ts';
import { readModel } from '../../src/formats/index.ts';

const fixture = (name: string) => readFileSync(new URL(`../../../../fixtures/charlm/${name}`, import.meta.url));

function corpusText(): string {
  const folder = `${process.env.GATEFOLD_CORPUS}/data/tinyshakespeare/`;
  const file = readdirSync(folder).find((name) => /\.txt(\.gz)?$/.test(name))!;
  expect(existsSync(folder + file)).toBe(true);
  const bytes = readFileSync(folder + file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}

/** Bits and scheme, and the most that perplexity may grow. */
const table: [string, QuantizeOptions, number, calibrated?: boolean][] = [
  ['int8', { bits: 8 }, 0.001],
  ['int4 without data', { bits: 4 }, 0.035],
  ['int4', { bits: 4 }, 0.02, true],
  ['int4, table in 8 bits', { bits: 4, mixed: [{ target: 'table', bits: 8 }] }, 0.015, true],
  ['codebook4', { bits: 4, scheme: 'codebook' }, 0.015, true],
  ['log4', { bits: 4, scheme: 'log' }, 0.02, true],
  ['int3', { bits: 3 }, 0.09, true],
];

// The last tenth of tinyshakespeare was held out in training (interop/train_charlm.py); state carried over 50,000 characters.
it('keeps the perplexity of a character LM, LSTM-256', { timeout: 300_000 }, async () => {
  const { model } = await readModel(new Uint8Array(fixture('charlm-lstm256.h5')));
  const { validation_perplexity: keras } = JSON.parse(fixture('charlm-lstm256.json').toString()) as {
    validation_perplexity: number;
  };
  const text = corpusText();
  const held = text.slice(Math.floor(text.length * 0.9)).slice(0, 50_000);
  const vocabulary = JSON.parse(fixture('vocab.json').toString()) as string[];
  const dataset = datasetFromFile('tinyshakespeare.txt', new TextEncoder().encode(held), { vocabulary });
  // Calibration reads training text only.
  const train = datasetFromFile('train.txt', new TextEncoder().encode(text.slice(0, 16_001)), { vocabulary }).inputs.x!
    .data;
  const name = model.graphs.main!.inputs[0]!.name;
  const calibration = () => [{ inputs: { [name]: train }, batch: 1 }];
  const coded = table.map(([, options, , calibrated]) =>
    readGatefold(writeGatefold(quantize(model, options, calibrated ? { calibration } : {}).model)),
  );
  const [float, ...results] = await evaluateAll([model, ...coded], dataset);
  const perplexity = float!.evaluation.metrics.perplexity!;
  expect(Math.abs(perplexity / keras - 1)).toBeLessThan(1e-4);
  const floatBytes = Object.values(model.weights).reduce(
    (sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1),
    0,
  );
  const growths: { name: string; growth: number; most: number }[] = [];
  results.forEach(({ evaluation }, i) => {
    const [name, , most] = table[i]!;
    const growth = evaluation.metrics.perplexity! / perplexity - 1;
    const ratio = floatBytes / writeGatefold(coded[i]!).length;
    process.stdout.write(
      `${name}: perplexity ${perplexity.toFixed(4)} → ${evaluation.metrics.perplexity!.toFixed(4)} (${(growth * 100).toFixed(2)} %), ${ratio.toFixed(2)}× smaller\n`,
    );
    growths.push({ name, growth, most });
  });
  for (const { name, growth, most } of growths) expect(growth, name).toBeLessThanOrEqual(most);
});
