import gatefold from '../contenders/gatefold.mjs';
import onnxruntime from '../contenders/onnxruntime.mjs';
import tfjs from '../contenders/tfjs.mjs';
import { median, timed } from './clock.mjs';
import { makeInput, makeLayer } from './weights.mjs';

const steps = 100;

/** Median time per step of every contender, in µs, one step per call and 100 steps per call. */
export async function measure({ cell, units, rounds, only }) {
  const layer = makeLayer(cell, units);
  const contenders = [...gatefold, ...onnxruntime, ...tfjs].filter(
    ({ name, unavailable }) =>
      unavailable(layer) === undefined && (only === undefined || only.some((part) => name.includes(part))),
  );
  const xs = makeInput(units, steps);
  const x = xs.subarray(0, units);
  const running = [];
  for (const contender of contenders)
    running.push({ ...contender, layer: await contender.load(layer), one: [], many: [] });
  await checkAgreement(running, xs, units);
  // Enough calls per round that a round takes some 15 ms, found once per contender while warming up.
  for (const contender of running) {
    contender.oneCalls = await callsFor(() => contender.layer.step(x), 15);
    contender.manyCalls = await callsFor(() => contender.layer.many(xs), 15);
  }
  for (let round = 0; round < rounds; round++) {
    for (const contender of running) {
      contender.one.push(await timed(() => contender.layer.step(x), contender.oneCalls));
      contender.many.push((await timed(() => contender.layer.many(xs), contender.manyCalls)) / steps);
    }
  }
  for (const { layer: loaded } of running) await loaded.close?.();
  return running.map(({ name, type, version, one, many, difference }) => ({
    cell,
    units,
    name,
    type,
    version,
    oneStep: median(one),
    manySteps: median(many),
    difference,
  }));
}

/** All float contenders compute the same numbers; the others say how far they are from them. */
async function checkAgreement(running, xs, units) {
  let reference;
  for (const contender of running) {
    contender.layer.reset();
    const y = Float32Array.from(await contender.layer.many(xs));
    reference ??= y;
    contender.difference = y.reduce((worst, value, i) => Math.max(worst, Math.abs(value - reference[i])), 0);
    if (contender.type === 'float32' && contender.difference > 1e-4) {
      throw new Error(`${contender.name} differs by ${contender.difference} on ${units} units`);
    }
    contender.layer.reset();
  }
}

/** How many calls take about as long as asked. */
export async function callsFor(call, milliseconds) {
  for (let calls = 4; ; calls *= 2) {
    const time = (await timed(call, calls)) * calls;
    if (time > milliseconds * 1000) return Math.max(2, Math.round((calls * milliseconds * 1000) / time));
  }
}
