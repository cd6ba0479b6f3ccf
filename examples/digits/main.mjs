// The whole way on real data: a Keras LSTM in, files of 8 and 4 bits and a pruned one, and their proof out. Run it with `npm start`.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeGatefold } from '@gatefold/runtime';
import { presetByName, readModel, reportHtml, reportJson, reportText, runRecipe } from 'gatefold';
import { loadModel, measureReport, trainWorkers, writeBytes } from 'gatefold/node';
import digits from './data.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = at('../../out/digits');
const say = (text) => console.error(text);

const source = 'digits-lstm128.h5';
say(`Reading examples/digits/model/${source} (LSTM-128, trained in Keras) …`);
const { model: float } = await readModel(new Uint8Array(readFileSync(at(`model/${source}`))), { name: 'digits' });
const test = digits('test');

// Calibration sees training images only; the test images judge.
const train = digits('train').inputs.rows.data;
const calibration = () => [{ inputs: { rows: train.subarray(0, 512 * 28 * 28) }, batch: 512 }];

// What trains learns from the training images too, with one seed; two threads, because the figures depend on their number.
const training = digits('shifted');
let shown = Date.now();
const onProgress = (done, total, what) => {
  if (Date.now() - shown < 10_000) return;
  shown = Date.now();
  say(`  ${Math.floor((100 * done) / total)} %, ${what}`);
};

const subjects = [{ name: source, model: float }];
for (const preset of ['int8', 'int4', 'sparse-int8']) {
  const recipe = presetByName(preset);
  // What the description asks for is given here.
  say(`${recipe.description.split(';')[0]} …`);
  const { model } = await runRecipe(float, recipe, { calibration, training, workers: trainWorkers(2), onProgress });
  const file = `${out}/digits-${preset}.gatefold`;
  await writeBytes(file, writeGatefold({ ...model, metadata: { ...model.metadata, labels: test.classes } }), true);
  // From here on the written file is what is measured.
  subjects.push({ name: `digits-${preset}`, model: (await loadModel(file)).model });
}

say(`Evaluating ${subjects.length} models on ${test.count.toLocaleString('en-US')} test images …`);
const report = await measureReport(subjects, test, {
  title: 'Digits: an LSTM-128 over the rows of MNIST images',
  dataName: `MNIST, the official ${test.count} test images; operand ranges from 512 training images; pruned on the 60,000 training images, moved by up to two pixels, seed 1, two threads`,
  driftSteps: 3000,
});
await writeBytes(`${out}/report.html`, await reportHtml(report), true);
await writeBytes(`${out}/report.json`, `${JSON.stringify(reportJson(report), undefined, 1)}\n`, true);

console.log(`\n${reportText(report)}\n`);
console.log('Written:');
for (const file of [...subjects.slice(1).map(({ name }) => `${name}.gatefold`), 'report.html', 'report.json']) {
  console.log(`  out/digits/${file.padEnd(27)} ${String(statSync(`${out}/${file}`).size).padStart(8)} bytes`);
}
console.log('\nNext: open out/digits/report.html · npm run example:browser · npx gatefold --help');
