// Writes the fixtures of Keras in every format that a runtime of its own checks, for interop/run.sh:
//
//     OUT/<target>/<fixture>…        the written model; outputs that the format has no layers for are left out
//     OUT/<target>/<fixture>.json    which of the model's outputs were written, and what the writer noted
//     OUT/inputs/<fixture>.json      the inputs for TensorFlow.js, [{shape, data}, …]
//
//     node interop/write_models.mjs OUT
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quantize, readModel, writerFor } from 'gatefold';
import { readNpz } from '../packages/gatefold/dist/data/npz.js';

const out = process.argv[2];
const folder = fileURLToPath(new URL('../fixtures/keras/', import.meta.url));
const targets = [
  { name: 'h5', format: 'h5', ending: '.h5' },
  { name: 'keras', format: 'keras', ending: '.keras' },
  { name: 'tfjs', format: 'tfjs', ending: '/model.json' },
  { name: 'tfjs-int8', format: 'tfjs', ending: '/model.json', quantization: { bits: 8, granularity: 'tensor' } },
];

/** Which of some outputs do without the nodes that need one. */
function outputsWithout({ nodes, outputs }, place, indices) {
  const lost = new Set();
  for (const node of nodes) {
    if (node.name !== place && !Object.values(node.inputs).some((value) => lost.has(value))) continue;
    for (const value of Object.values(node.outputs)) lost.add(value);
  }
  return indices.filter((i) => !lost.has(outputs[i].value));
}

/** Writes what the format has layers for; undefined where that is nothing. */
async function writeWhatCanBe(model, format) {
  const [[name, graph]] = Object.entries(model.graphs);
  let indices = graph.outputs.map((_, i) => i);
  while (indices.length > 0) {
    const part = { ...graph, outputs: indices.map((i) => graph.outputs[i]) };
    try {
      const written = await writerFor(format, 'interop').write({ ...model, graphs: { [name]: part } }, {});
      return { ...written, outputs: indices };
    } catch (error) {
      if (error.code !== 'MODEL_UNSUPPORTED') throw error;
      const left = outputsWithout(graph, error.detail.place, indices);
      if (left.length === indices.length) throw error;
      indices = left;
    }
  }
  return undefined;
}

function save(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

for (const file of readdirSync(folder).filter((name) => /\.(h5|keras)$/.test(name))) {
  const base = file.replace(/(\.weights-only|\.weights)?\.(h5|keras)$/, '');
  if (!existsSync(`${folder}${base}.npz`)) continue;
  const arrays = [...readNpz(readFileSync(`${folder}${base}.npz`))];
  const inputs = arrays.filter(([name]) => /^in\d+$/.test(name));
  // Stateful layers are written for one sequence, and the fixtures hold several.
  if (inputs.length === 0) continue;
  const numbers = inputs.map(([, { shape, data }]) => ({ shape, data: [...data].map(Number) }));
  save(join(out, 'inputs', `${base}.json`), JSON.stringify(numbers));
  const json = `${folder}${base}.json`;
  const architecture = existsSync(json) ? { architecture: readFileSync(json, 'utf8') } : {};
  const { model } = await readModel(new Uint8Array(readFileSync(folder + file)), architecture);
  for (const { name, format, ending, quantization } of targets) {
    if (quantization && !Object.values(model.weights).some(({ shape }) => shape.length > 1)) continue;
    const written = await writeWhatCanBe(quantization ? quantize(model, quantization).model : model, format);
    if (!written) continue;
    const path = join(out, name, `${base}${ending}`);
    save(path, written.bytes);
    for (const [part, content] of written.beside ?? []) save(join(dirname(path), part), content);
    save(join(out, name, `${base}.json`), JSON.stringify({ outputs: written.outputs, notes: written.notes }));
  }
}
