// Block-sparse LSTM layers beside dense ones and onnxruntime-web, one thread, one step per call, interleaved in one process:
//
//   node bench/sparse.mjs [--sizes 256,512] [--density 0.1] [--rounds 101] [--node current]
//
// Rounds are short, and the tenth part of them that was fastest counts: other work on the machine disturbs the rest.
// Blocks of 8 × 4 weights are kept at random in W and U; the peers run the same weights, whose zeros they do not see.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installPeers, runUnderCurrentNode } from './lib/node.mjs';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '256,512' },
    density: { type: 'string', default: '0.1' },
    rounds: { type: 'string', default: '101' },
    node: { type: 'string' },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));
installPeers(here);
runUnderCurrentNode(here, fileURLToPath(import.meta.url), options.node);

const { default: gatefold } = await import('./contenders/gatefold.mjs');
const { default: onnxruntime } = await import('./contenders/onnxruntime.mjs');
const { callsFor } = await import('./lib/measure.mjs');
const { timed } = await import('./lib/clock.mjs');
const { makeInput, makeLayer, pruneBlocks } = await import('./lib/weights.mjs');

/** The time that a tenth of the rounds stayed below. */
const quiet = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 10)];

const density = Number(options.density);
const rows = [];
for (const units of options.sizes.split(',').map(Number)) {
  const dense = makeLayer('lstm', units);
  const sparse = pruneBlocks(dense, density);
  const running = [];
  for (const contender of [...gatefold, ...onnxruntime]) {
    if (contender.unavailable(dense) !== undefined) continue;
    const own = contender.name.startsWith('gatefold');
    if (!own && (contender.name !== 'onnxruntime-web' || contender.type !== 'float32')) continue;
    const { name, type, load } = contender;
    running.push({ name, type, layer: await load(own ? dense : sparse), times: [] });
    if (own) running.push({ name, type: `${type} sparse`, layer: await load(sparse), times: [] });
  }
  const x = makeInput(units, 1);
  for (const contender of running) {
    await timed(() => contender.layer.step(x), 2000);
    contender.calls = await callsFor(() => contender.layer.step(x), 3);
  }
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const { layer, calls, times } of running) times.push(await timed(() => layer.step(x), calls));
  }
  console.log(
    `\nLSTM ${units} → ${units}, ${density * 100} % of blocks of 8 × 4 kept, Node ${process.version}, ${cpus()[0].model}`,
  );
  console.log('runtime            weights           µs a step   dense / it   web float32 / it');
  const web = quiet(running.find(({ name }) => name === 'onnxruntime-web').times);
  for (const { name, type, times } of running) {
    const time = quiet(times);
    const same = running.find((other) => other.name === name && `${other.type} sparse` === type);
    const gain = same ? `${(quiet(same.times) / time).toFixed(2)}×` : '';
    rows.push({ units, name, type, time });
    console.log(
      `${name.padEnd(19)}${type.padEnd(16)}${time.toFixed(2).padStart(11)}${gain.padStart(13)}${`${(web / time).toFixed(2)}×`.padStart(19)}`,
    );
  }
  for (const { layer } of running) await layer.close?.();
}
mkdirSync(`${here}results`, { recursive: true });
const file = `results/sparse-node${process.versions.node.split('.')[0]}.json`;
writeFileSync(
  here + file,
  `${JSON.stringify({ node: process.version, cpu: cpus()[0].model, density, rows }, undefined, 1)}\n`,
);
console.log(`\nwritten to bench/${file}`);
