// Reads mutants one after the other and says before each which it is, so that a hang names its cause.
import { parentPort, workerData } from 'node:worker_threads';
import { isGatefold, readGatefold, readSafetensors } from '@gatefold/runtime';
import { quantize, readModel, readParts, withWeightsOf, writerFor } from 'gatefold';
import { mutant } from './mutant.mjs';
import { randomSource } from './mutate.mjs';

const { seeds, from, to, seed } = workerData;
const outcomes = {};
for (let i = from; i < to; i++) {
  // Every mutant has its own generator: it can be made again alone.
  const random = randomSource(seed * 1_000_003 + i);
  const origin = seeds[i % seeds.length];
  const { bytes, beside } = mutant(origin, seeds, random);
  parentPort.postMessage({ kind: 'start', i });
  const start = performance.now();
  let outcome = 'read';
  try {
    if (isGatefold(bytes)) {
      readGatefold(bytes);
      if (damaged(origin.bytes, bytes)) throw new Error('a damaged tensor was accepted');
    } else {
      const options = beside ? { beside } : {};
      const given = origin.architecture ? { ...options, architecture: origin.architecture } : options;
      // Weights are taken from files that are refused as models as well.
      if (origin.graph && random() < 0.5) withWeightsOf(bytes, origin.graph);
      else await readModel(bytes, given).catch((error) => throughParts(error, bytes, options));
    }
  } catch (error) {
    outcome = error?.name === 'GatefoldError' ? error.code : undefined;
    if (outcome === undefined)
      parentPort.postMessage({ kind: 'finding', i, name: origin.name, what: String(error?.stack ?? error), bytes });
  }
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  const milliseconds = performance.now() - start;
  if (milliseconds > 2000)
    parentPort.postMessage({
      kind: 'finding',
      i,
      name: origin.name,
      what: `took ${Math.round(milliseconds)} ms`,
      bytes,
    });
}
parentPort.postMessage({ kind: 'done', outcomes, rss: process.memoryUsage().rss });

/** What is refused as a whole may still be compressed in place. */
async function throughParts(error, bytes, options) {
  if (error?.name !== 'GatefoldError') throw error;
  const { model } = await readParts(bytes, options).catch((second) => {
    throw second?.name === 'GatefoldError' ? error : second;
  });
  await writerFor('onnx', 'fuzz').write(quantize(model, { bits: 8 }).model, { source: bytes, ...options });
  throw error;
}

/** Whether a tensor that is stored under the same name differs from the original's. */
function damaged(before, after) {
  if (!isGatefold(before)) return false;
  const original = readSafetensors(before).tensors;
  for (const [name, { bytes }] of readSafetensors(after).tensors) {
    const own = original.get(name)?.bytes;
    // Other names come from a splice with another valid file, which its checksums vouch for.
    if (own && own.length === bytes.length && own.some((byte, k) => byte !== bytes[k]))
      return !fromAnother(name, bytes);
  }
  return false;
}

function fromAnother(name, bytes) {
  return seeds.some(({ bytes: other }) => {
    if (!isGatefold(other)) return false;
    const own = readSafetensors(other).tensors.get(name)?.bytes;
    return own?.length === bytes.length && own.every((byte, k) => byte === bytes[k]);
  });
}
