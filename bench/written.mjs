// What Gatefold writes as ONNX, run by onnxruntime-node and onnxruntime-web: the digits model, float and quantized, on test
// images. Ends with an error where decisions differ from those of Gatefold's own engine in more than 0.5 %.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import digits from '../examples/digits/data.mjs';
import { quantize, readModel, readParts, writerFor } from '../packages/gatefold/dist/index.js';
import { createSession, decode } from '../packages/runtime/dist/index.js';
import { median, timed } from './lib/clock.mjs';
import { installedVersion, installPeers } from './lib/node.mjs';

const count = 2000;
const least = 0.995;
installPeers(fileURLToPath(new URL('.', import.meta.url)));
const file = new URL('../examples/digits/model/digits-lstm128.h5', import.meta.url);
const { model } = await readModel(new Uint8Array(readFileSync(file)));
const input = model.graphs.main.inputs[0].name;
const output = model.graphs.main.outputs[0].name;
const images = digits('test').inputs.rows.data.subarray(0, count * 784);

const runtimes = {
  'onnxruntime-node': async () => (await import('onnxruntime-node')).default,
  'onnxruntime-web': async () => {
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    return ort;
  },
};
const { write } = writerFor('onnx', 'written.mjs');
const asOnnx = async (made) => ({ made, ...(await write(made, {})) });
const files = {
  float32: await asOnnx(model),
  'int8, integer kernels': await asOnnx(quantize(model, { bits: 8 }).model),
  '6 bits, integer kernels': await asOnnx(quantize(model, { bits: 6 }).model),
  'int8, float32 operands': await asOnnx(quantize(model, { bits: 8, operand: 'f32' }).model),
  'int4, float32 operands': await asOnnx(quantize(model, { bits: 4, operand: 'f32' }).model),
  'int8, in place': { made: quantize(model, { bits: 8 }).model, bytes: await inPlace() },
};

let isWorse = false;
for (const [name, { made, bytes }] of Object.entries(files)) {
  const exact = sameWeights(made, (await readModel(bytes)).model);
  const ours = classes(createSession(made).run(images, { batch: count })[output].data);
  for (const [runtime, open] of Object.entries(runtimes)) {
    const ort = await open();
    const options = runtime === 'onnxruntime-web' ? { executionProviders: ['wasm'] } : { intraOpNumThreads: 1 };
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, ...options });
    const run = (data, batch) => session.run({ [input]: new ort.Tensor('float32', data, [batch, 28, 28]) });
    // One image a call: operands are coded by the range of all that a call is given.
    const theirs = [];
    for (let i = 0; i < count; i++) {
      const result = await run(images.subarray(i * 784, (i + 1) * 784), 1);
      theirs.push(...classes(result[output].data));
    }
    const times = [];
    for (let round = 0; round < 5; round++) times.push(await timed(() => run(images.subarray(0, 784), 1), 100));
    const share = theirs.filter((best, i) => best === ours[i]).length / count;
    isWorse ||= share < least || !exact;
    console.log(
      `${`${runtime} ${installedVersion(runtime)}`.padEnd(26)}${name.padEnd(26)}${String(bytes.length).padStart(8)} bytes ` +
        `${(share * 100).toFixed(2).padStart(7)} % agree  ${median(times).toFixed(0).padStart(5)} µs an image  ${exact ? 'weights equal' : 'WEIGHTS DIFFER'}`,
    );
    await session.release();
  }
}
if (isWorse) process.exit(1);

/** The float32 file with its layers compressed where they stand. */
async function inPlace() {
  const { bytes: source } = await write(model, {});
  const parts = await readParts(source);
  return (await write(quantize(parts.model, { bits: 8 }).model, { source })).bytes;
}

function classes(data) {
  return Array.from({ length: data.length / 10 }, (_, i) => {
    const row = [...data.subarray(i * 10, i * 10 + 10)];
    return row.indexOf(Math.max(...row));
  });
}

/** Whether the matrices of both mean the same, value by value. */
function sameWeights(a, b) {
  const values = ({ weights }) =>
    Object.values(weights)
      .filter(({ shape }) => shape.length > 1)
      .map((weight) => JSON.stringify([...decode(weight)]))
      .sort();
  return JSON.stringify(values(a)) === JSON.stringify(values(b));
}
