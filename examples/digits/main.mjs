// The whole way on real data: a Keras LSTM in, an int8 and a 4-bit file and their proof out. Run it with `npm start`.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeGatefold } from '@gatefold/runtime';
import { presetByName, readModel, reportHtml, reportJson, reportText, runRecipe } from 'gatefold';
import { loadModel, measureReport, writeBytes } from 'gatefold/node';
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

const subjects = [{ name: source, model: float }];
for (const preset of ['int8', 'int4']) {
  const recipe = presetByName(preset);
  say(`Quantizing: ${recipe.description} …`);
  const { model } = await runRecipe(float, recipe, { calibration });
  const file = `${out}/digits-${preset}.gatefold`;
  await writeBytes(file, writeGatefold({ ...model, metadata: { ...model.metadata, labels: test.classes } }), true);
  // From here on the written file is what is measured.
  subjects.push({ name: `digits-${preset}`, model: (await loadModel(file)).model });
}

say(`Evaluating ${subjects.length} models on ${test.count.toLocaleString('en-US')} test images …`);
const report = await measureReport(subjects, test, {
  title: 'Digits: an LSTM-128 over the rows of MNIST images',
  dataName: `MNIST, the official ${test.count} test images; operand ranges from 512 training images; no seeds, nothing is random`,
  driftSteps: 3000,
});
await writeBytes(`${out}/report.html`, await reportHtml(report), true);
await writeBytes(`${out}/report.json`, `${JSON.stringify(reportJson(report), undefined, 1)}\n`, true);

console.log(`\n${reportText(report)}\n`);
console.log('Written:');
for (const file of ['digits-int8.gatefold', 'digits-int4.gatefold', 'report.html', 'report.json']) {
  console.log(`  out/digits/${file.padEnd(22)} ${String(statSync(`${out}/${file}`).size).padStart(8)} bytes`);
}
console.log('\nNext: open out/digits/report.html · npm run example:browser · npx gatefold --help');
