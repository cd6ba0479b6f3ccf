// Runs layers models in TensorFlow.js: MODEL INPUTS.json OUTPUTS.json, repeated. INPUTS is a list of {shape, data} in the
// order of the model's inputs; OUTPUTS becomes one in the order of its outputs.
//
//     node interop/tfjs/predict.mjs MODEL INPUTS OUTPUTS [MODEL INPUTS OUTPUTS ...]
import { readFileSync, writeFileSync } from 'node:fs';
import { load, predict } from './lib.mjs';

const files = process.argv.slice(2);
for (let i = 0; i < files.length; i += 3) {
  const [path, inputs, outputs] = files.slice(i, i + 3);
  const model = await load(path);
  writeFileSync(outputs, JSON.stringify(predict(model, JSON.parse(readFileSync(inputs, 'utf8')))));
}
