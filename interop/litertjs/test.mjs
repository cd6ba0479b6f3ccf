// Runs .tflite files that Gatefold writes in LiteRT.js, in a real Chromium: npm run test:browser
//
// LiteRT.js 2.5 refuses files with variables and ports of 8 or 16 bits, whatever their operators are, so that cells stand step by step
// and ports are float32; that it still does is checked too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession, simd128Engine } from '@gatefold/runtime';
import { build } from 'esbuild';
import { quantize, readModel, writerFor } from 'gatefold';
import { startChecks } from '../../examples/browser/checks.mjs';
import { openChromium } from '../../examples/browser/chromium.mjs';
import { serveFiles } from '../../examples/browser/server.mjs';
import digits from '../../examples/digits/data.mjs';
import { ensureInstalled } from '../../scripts/lib/install.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
ensureInstalled(here, '@litertjs/core');

const { check, finish } = startChecks();

const writer = writerFor('tflite', 'litertjs');
const { model: lstm } = await readModel(
  readFileSync(new URL('../../examples/digits/model/digits-lstm128.h5', import.meta.url)),
);
const { model: stack } = await readModel(readFileSync(new URL('../../fixtures/keras/k3-cells.keras', import.meta.url)));
const pixels = digits('test').inputs.rows.data;
const images = Array.from({ length: 164 }, (_, i) => Float32Array.from(pixels.subarray(i * 784, (i + 1) * 784)));
const waves = Array.from({ length: 32 }, (_, n) => Float32Array.from({ length: 18 }, (_, i) => Math.sin(i * 1.7 + n)));

/** The models, what they are run on and what they are calibrated with. */
const models = [
  { name: 'digits', model: lstm, samples: images.slice(0, 100), calibration: images.slice(100) },
  { name: 'stack of LSTM, GRU and RNN', model: stack, samples: waves.slice(0, 8), calibration: waves },
];

/** The ways a file can be written, and how far LiteRT.js may be from Gatefold: as a number, or in 8-bit steps of an output. */
const forms = [
  { form: 'float', tolerance: 1e-5 },
  { form: 'dynamic range', operand: 'f32', tolerance: 0.03 },
  { form: 'full integer', operand: 'u7', tolerance: 2 / 128 },
  { form: '16×8', operand: 'u14', tolerance: 1e-3 },
];

const written = [];
for (const { name, model, samples, calibration } of models) {
  const port = createSession(model, { engine: simd128Engine }).inputs[0].name;
  for (const { form, operand, tolerance } of forms) {
    const used = operand ? quantize(model, { bits: 8, granularity: 'gate', clip: 'max', operand }).model : model;
    const { bytes } = await writer.write(used, {
      explicitStates: false,
      calibration: () => calibration.map((data) => ({ inputs: { [port]: data }, batch: 1 })),
    });
    const session = createSession((await readModel(bytes)).model, { engine: simd128Engine });
    const shape = session.inputs[0].shape.map((dim) => (typeof dim === 'number' ? dim : 1));
    const expected = samples.map((data) => {
      const made = session.run({ [session.inputs[0].name]: data });
      return session.outputs.map((output) => [...made[output.name].data]);
    });
    written.push({ what: `${name}, ${form}`, bytes, shape, samples, expected, tolerance });
  }
}

const wasm = join(here, 'node_modules/@litertjs/core/wasm');
const { outputFiles } = await build({
  stdin: { contents: "import * as litert from '@litertjs/core'; window.litert = litert;", resolveDir: here },
  ...{ bundle: true, format: 'esm', write: false, logLevel: 'error' },
});
const files = {
  '/': ['text/html', '<!doctype html><script type="module" src="/app.js"></script>'],
  '/app.js': ['text/javascript', outputFiles[0].text],
};
const { server, url } = await serveFiles((path) => {
  const [, name] = /^\/wasm\/([\w.]+)$/.exec(path) ?? [];
  if (!name) return files[path];
  return [name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript', readFileSync(join(wasm, name))];
});

/** In the page: outputs of a file for each sample, or why it does not run. */
async function runInPage({ bytes, shape, samples }) {
  const { loadAndCompile, Tensor } = window.litert;
  try {
    const model = await loadAndCompile(
      Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)),
      { accelerator: 'wasm' },
    );
    const outputs = [];
    for (const data of samples) {
      const input = new Tensor(Float32Array.from(data), shape);
      const made = await model.run([input]);
      outputs.push(made.map((tensor) => Array.from(tensor.toTypedArray())));
      for (const tensor of [input, ...made]) tensor.delete();
    }
    model.delete();
    return { outputs };
  } catch (error) {
    return { error: String(error) };
  }
}
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const asJob = ({ bytes, shape, samples }) => ({ bytes: base64(bytes), shape, samples: samples.map((x) => [...x]) });

const { browser, close } = await openChromium();
try {
  const page = await browser.newPage();
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  await page.goto(url);
  await page.waitForFunction(() => window.litert !== undefined);
  await page.evaluate(() => window.litert.loadLiteRt('/wasm/', { threads: false }));

  for (const file of written) {
    const { outputs, error } = await page.evaluate(runInPage, asJob(file));
    let worst = 0;
    outputs?.forEach((made, n) => {
      made.forEach((values, k) => {
        values.forEach((value, i) => {
          worst = Math.max(worst, Math.abs(value - file.expected[n][k][i]) || 0);
        });
      });
    });
    const whole = outputs?.every((made, n) => made.flat().length === file.expected[n].flat().length);
    check(`LiteRT.js runs ${file.what}`, whole === true && worst <= file.tolerance, error ?? worst.toExponential(1));
  }

  const [{ shape, samples }] = written;
  const fused = await page.evaluate(
    runInPage,
    asJob({ ...(await writer.write(lstm, {})), shape, samples: samples.slice(0, 1) }),
  );
  const refused = fused.error !== undefined && said.some((text) => text.includes('Variable tensors not yet supported'));
  check('LiteRT.js refuses the variables of fused LSTM operators', refused, fused.error);

  const coded = quantize(lstm, { bits: 8, granularity: 'gate', clip: 'max' }).model;
  const calibration = () => images.slice(100).map((rows) => ({ inputs: { rows }, batch: 1 }));
  const integer = await writer.write(coded, { explicitStates: false, integerPorts: true, calibration });
  const { error } = await page.evaluate(runInPage, asJob({ ...integer, shape, samples: samples.slice(0, 1) }));
  check('LiteRT.js refuses ports of 8 bits', error?.includes('INT8') === true, error);
} finally {
  await close();
  server.close();
}
finish();
