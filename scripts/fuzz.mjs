// Mutated files against every reader: each must be read or refused with a coded error, in bounded time and memory.
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { at } from './lib/files.mjs';
import { fuzzSeeds } from './lib/fuzz-seeds.mjs';

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string', default: 'all' },
    json: { type: 'boolean', default: false },
  },
});
const count = Number(options.count);
const seed = Number(options.seed);
const hang = 10_000;
const seeds = await fuzzSeeds(options.reader);
const findings = [];
const outcomes = {};

/** Runs mutants from … count in a thread of bounded memory; returns where to go on after one that hung. */
function run(from) {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./lib/fuzz-worker.mjs', import.meta.url), {
      workerData: { seeds, from, to: count, seed },
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    });
    let current = from;
    // The thread loads its modules first, which takes long where the machine is busy.
    let began = Number.POSITIVE_INFINITY;
    const watch = setInterval(() => {
      if (!options.json) process.stderr.write(`${current} of ${count} mutants, ${findings.length} findings\n`);
      if (Date.now() - began < hang) return;
      findings.push({ i: current, what: `did not end within ${hang} ms` });
      stop(current + 1);
    }, 5000);
    const stop = (next) => {
      clearInterval(watch);
      worker.terminate();
      resolve(next);
    };
    worker.on('message', (message) => {
      if (message.kind === 'start') {
        current = message.i;
        began = Date.now();
      } else if (message.kind === 'finding') {
        const { bytes, ...finding } = message;
        mkdirSync(at('out/fuzz'), { recursive: true });
        writeFileSync(at(`out/fuzz/${finding.i}.bin`), bytes);
        findings.push(finding);
      } else {
        for (const [name, n] of Object.entries(message.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + n;
        if (message.rss > 2e9) findings.push({ i: current, what: `memory grew to ${message.rss} bytes` });
        stop(count);
      }
    });
    worker.on('error', (error) => {
      findings.push({ i: current, what: String(error) });
      stop(current + 1);
    });
  });
}

for (let next = 0; next < count; ) next = await run(next);
if (options.json) console.log(JSON.stringify({ count, seed, outcomes, findings }));
else {
  console.log(`${count} mutants of ${seeds.length} files, seed ${seed}: ${JSON.stringify(outcomes)}`);
  for (const { i, name, what } of findings) console.log(`finding: mutant ${i} of ${name}: ${what}`);
  console.log(
    findings.length === 0
      ? 'no crash, no hang, no damaged tensor accepted'
      : `${findings.length} findings, bytes in out/fuzz/`,
  );
}
process.exit(findings.length === 0 ? 0 : 1);
