// Gatefold's engines beside other runtimes on the same weights: interleaved in one process, one thread each.

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './lib/measure.mjs';
import { currentNode, installPeers, rerunWith } from './lib/node.mjs';
import { table, targets } from './lib/report.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '64,128,256,512,1024' },
    cells: { type: 'string', default: 'lstm,gru' },
    rounds: { type: 'string', default: '7' },
    only: { type: 'string' },
    node: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

installPeers(here);
if (options.node === 'current') rerunWith(currentNode(here), fileURLToPath(import.meta.url));

const sizes = (options.quick ? '128,256' : options.sizes).split(',').map(Number);
const cells = (options.quick ? 'lstm' : options.cells).split(',');
const environment = { node: process.version, cpu: cpus()[0].model, date: new Date().toISOString().slice(0, 10) };
const rows = [];
for (const cell of cells) {
  for (const units of sizes) {
    const measured = await measure({
      cell,
      units,
      rounds: options.quick ? 3 : Number(options.rounds),
      only: options.only?.split(','),
    });
    rows.push(...measured);
    if (!options.json) console.log(table(measured, environment));
  }
}
const result = { environment, rows, targets: targets(rows) };
mkdirSync(`${here}results`, { recursive: true });
const file = `results/node${process.versions.node.split('.')[0]}.json`;
writeFileSync(here + file, `${JSON.stringify(result, undefined, 1)}\n`);
if (options.json) console.log(JSON.stringify(result));
else {
  for (const { text, reached } of result.targets) console.log(`${reached ? 'reached ' : 'MISSED  '} ${text}`);
  console.log(`\nwritten to bench/${file}`);
}
