import { readFileSync } from 'node:fs';
import { type Model, writeGatefold } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import digits from '../../../../../examples/digits/data.mjs';
import { type PruneUnitsOptions, pruneUnits } from '../../../src/compress/index.ts';
import { removeChannels } from '../../../src/compress/prune/units/remove.ts';
import { evaluateAll } from '../../../src/evaluate/index.ts';
import { readModel } from '../../../src/formats/index.ts';
import { maskChannels, outputDifference, someChannels } from './support.ts';

const file = new URL('../../../../../examples/digits/model/digits-lstm128.h5', import.meta.url);

/** Options, and the points of accuracy they may cost on 10,000 images, one shot. */
const table: [string, PruneUnitsOptions, number][] = [
  ['3/4 spectral', { units: 0.75, criterion: 'spectral' }, 1],
  ['1/2 spectral', { units: 0.5, criterion: 'spectral' }, 6],
];

it('digits LSTM-128 loses units', { timeout: 120_000 }, async () => {
  const { model } = await readModel(new Uint8Array(readFileSync(file)));
  const { map, gone } = someChannels(model, 0.5, 1);
  expect(outputDifference(maskChannels(model, map, gone), removeChannels(model, map, gone))).toBeLessThanOrEqual(1e-6);
  const training = digits('train');
  const small: Model[] = [];
  for (const [, options] of table) small.push((await pruneUnits(model, options, { training })).model);
  const [float, ...results] = await evaluateAll([model, ...small], digits('test'));
  results.forEach(({ evaluation }, i) => {
    const [name, , most] = table[i]!;
    const drop = (float!.evaluation.metrics.accuracy! - evaluation.metrics.accuracy!) * 100;
    process.stdout.write(`${name}: ${drop.toFixed(2)} points, ${writeGatefold(small[i]!).length} bytes\n`);
    expect(drop, name).toBeLessThanOrEqual(most);
  });
});
