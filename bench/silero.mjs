// Silero VAD on labelled speech: its ONNX file in onnxruntime-node and -web beside Gatefold, float32 and compressed by
// measured sensitivity, in turns in one process, one thread each. Needs the folder that GATEFOLD_CORPUS names.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { batches, quantizeBySensitivity, readModel } from '../packages/gatefold/dist/index.js';
import * as runtime from '../packages/runtime/dist/index.js';
import { median, timed } from './lib/clock.mjs';
import { installedVersion, installPeers, runUnderCurrentNode } from './lib/node.mjs';
import { asDataset, chunk, context, decisionsAgree, louder, recordingsOf } from './lib/speech.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    agreement: { type: 'string', default: '0.998' },
    // A compressed model of an earlier search, instead of a new one.
    file: { type: 'string' },
    node: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const corpus = process.env.GATEFOLD_CORPUS;
if (!corpus || !existsSync(corpus)) {
  console.error('GATEFOLD_CORPUS must name the folder with Silero VAD and the speech');
  process.exit(2);
}
installPeers(here);
runUnderCurrentNode(here, fileURLToPath(import.meta.url), options.node);

const width = context + chunk;
const file = new Uint8Array(readFileSync(`${corpus}/models/silero-vad/silero_vad_16k_op15.onnx`));
const { model } = await readModel(file, { fix: { sequence: width } });
const all = recordingsOf(`${corpus}/data/ten-vad-testset`);
// Calibration hears the first eight; decisions are compared on the others.
const [known, unheard] = [all.slice(0, 8), all.slice(8)];
const small = options.file ? new Uint8Array(readFileSync(options.file)) : runtime.writeGatefold(compress());

const contenders = [
  await ours('gatefold simd128', 'float32', model, runtime.simd128Engine, runtime.writeGatefold(model).length),
  await ours('gatefold simd128', 'chosen', runtime.readGatefold(small), runtime.simd128Engine, small.length),
  ...(runtime.relaxedEngine.unavailable() === undefined
    ? [await ours('gatefold relaxed', 'chosen', runtime.readGatefold(small), runtime.relaxedEngine, small.length)]
    : []),
  await theirs('onnxruntime-web', async () => {
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    return { ort, settings: { executionProviders: ['wasm'] } };
  }),
  await theirs('onnxruntime-node', async () => {
    const { default: ort } = await import('onnxruntime-node');
    return { ort, settings: { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' } };
  }),
];

const reference = contenders.at(-1);
for (const [name, gain] of [
  ['loud', 1],
  ['quiet', 0.1],
]) {
  const speech = unheard.map(({ frames }) => louder(frames, gain));
  const expected = await decide(reference, speech);
  for (const contender of contenders) contender[name] = decisionsAgree(expected, await decide(contender, speech));
}
const { frames } = unheard[0];
const chunks = frames.length / width;
for (let round = 0; round < Number(options.rounds); round++) {
  for (const contender of contenders) {
    contender.reset();
    let i = 0;
    contender.times.push(
      await timed(() => contender.step(frames.subarray((i % chunks) * width, ((i++ % chunks) + 1) * width)), chunks),
    );
  }
}
const rows = contenders.map(({ name, version, type, bytes, times, loud, quiet }) => ({
  ...{ name, version, type, bytes, loud, quiet },
  microsecondsPerChunk: median(times),
}));
report(rows);

/** Silero VAD with the precision of each weight by its measured sensitivity. */
function compress() {
  const speech = asDataset([1, 0.1].flatMap((gain) => known.map(({ frames }) => louder(frames, gain))));
  const bound = { agreement: Number(options.agreement) };
  const { model: made, changes } = quantizeBySensitivity(model, {}, bound, { calibration: () => batches(speech, 64) });
  if (!options.json) for (const { place, after } of changes) console.log(`${place.padEnd(46)}${after}`);
  return made;
}

async function ours(name, type, made, engine, bytes) {
  const { version } = JSON.parse(readFileSync(new URL('../packages/runtime/package.json', import.meta.url)));
  const stream = runtime.createSession(made, { engine }).stream();
  const step = (x) => stream.step(x)[0];
  return { name, version, type, bytes, times: [], step, reset: () => stream.reset() };
}

async function theirs(name, open) {
  const { ort, settings } = await open();
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3, ...settings });
  const sr = new ort.Tensor('int64', BigInt64Array.of(16_000n), []);
  let state;
  const reset = () => {
    state = new ort.Tensor('float32', new Float32Array(2 * 128), [2, 1, 128]);
  };
  const step = async (x) => {
    const out = await session.run({ input: new ort.Tensor('float32', x, [1, width]), state, sr });
    state = out.stateN;
    return out.output.data[0];
  };
  reset();
  return { name, version: installedVersion(name), type: 'float32', bytes: file.length, times: [], step, reset };
}

/** Probabilities of speech, chunk by chunk. */
async function decide(contender, recordings) {
  const out = [];
  for (const samples of recordings) {
    contender.reset();
    for (let at = 0; at < samples.length; at += width) out.push(await contender.step(samples.subarray(at, at + width)));
  }
  return out;
}

function report(measured) {
  const environment = { node: process.version, cpu: cpus()[0].model, date: new Date().toISOString().slice(0, 10) };
  mkdirSync(`${here}results`, { recursive: true });
  const target = `results/silero-node${process.versions.node.split('.')[0]}.json`;
  writeFileSync(here + target, `${JSON.stringify({ environment, rows: measured }, undefined, 1)}\n`);
  if (options.json) {
    console.log(JSON.stringify({ environment, rows: measured }));
    return;
  }
  const percent = (share) => `${(share * 100).toFixed(2)} %`.padStart(11);
  const web = measured.find(({ name }) => name === 'onnxruntime-web');
  console.log(`\nSilero VAD, 32 ms a chunk, one thread, Node ${environment.node}, ${environment.cpu}`);
  console.log(
    `${'runtime'.padEnd(28)}${'weights'.padEnd(9)}${'bytes'.padStart(9)}${'µs/chunk'.padStart(10)}${'× web'.padStart(8)}${'agrees'.padStart(11)}${'at −20 dB'.padStart(11)}`,
  );
  for (const { name, version, type, bytes, microsecondsPerChunk: time, loud, quiet } of measured) {
    console.log(
      `${`${name} ${version}`.padEnd(28)}${type.padEnd(9)}${String(bytes).padStart(9)}${time.toFixed(1).padStart(10)}` +
        `${`${(web.microsecondsPerChunk / time).toFixed(2)}×`.padStart(8)}${percent(loud)}${percent(quiet)}`,
    );
  }
  console.log(`\nagrees: share of decisions (threshold 0.5) as onnxruntime-node's. Written to bench/${target}`);
}
