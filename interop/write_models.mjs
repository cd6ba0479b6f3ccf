// Writes the fixtures of Keras in every format that a runtime of its own checks: OUT/<format>/<fixture>, with what was
// left out, by name, in OUT/refused.json.
//
//     node interop/write_models.mjs OUT
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readModel, writerFor } from 'gatefold';
import { readNpz } from '../packages/gatefold/dist/data/npz.js';

const out = process.argv[2];
const folder = fileURLToPath(new URL('../fixtures/keras/', import.meta.url));
const refused = {};

/** The model without the outputs that need a node. */
function without(model, place) {
  const [[name, graph]] = Object.entries(model.graphs);
  const lost = new Set();
  for (const node of graph.nodes) {
    if (node.name === place || Object.values(node.inputs).some((value) => lost.has(value)))
      for (const value of Object.values(node.outputs)) lost.add(value);
  }
  const outputs = graph.outputs.map((port) => (lost.has(port.value) ? undefined : port));
  return { model: { ...model, graphs: { [name]: { ...graph, outputs: outputs.filter(Boolean) } } }, kept: outputs };
}

for (const file of readdirSync(folder).filter((name) => /\.(h5|keras)$/.test(name))) {
  const base = file.replace(/(\.weights-only|\.weights)?\.(h5|keras)$/, '');
  if (!existsSync(`${folder}${base}.npz`)) continue;
  const json = `${folder}${base}.json`;
  const architecture = existsSync(json) ? { architecture: readFileSync(json, 'utf8') } : {};
  const inputs = [...readNpz(readFileSync(`${folder}${base}.npz`))].filter(([name]) => /^in\d+$/.test(name));
  if (inputs.length > 0) {
    const json = inputs.map(([, { shape, data }]) => ({ shape, data: [...data].map(Number) }));
    writeFileSync(join(out, `${base}.inputs.json`), JSON.stringify(json));
  }
  const { model: whole } = await readModel(new Uint8Array(readFileSync(folder + file)), architecture);
  for (const [format, name] of [
    ['h5', `${base}.h5`],
    ['keras', `${base}.keras`],
    ['tfjs', `${base}/model.json`],
  ]) {
    let model = whole;
    let indices = Object.values(whole.graphs)[0].outputs.map((_, i) => i);
    const path = join(out, format, name);
    while (true) {
      try {
        if (indices.length === 0) break;
        const { bytes, beside = new Map() } = await writerFor(format, 'interop').write(model, {});
        mkdirSync(dirname(path), { recursive: true });
        for (const [part, content] of beside) writeFileSync(join(dirname(path), part), content);
        writeFileSync(path, bytes);
        break;
      } catch (error) {
        if (error.code !== 'MODEL_UNSUPPORTED') throw new Error(`${format} of ${file}`, { cause: error });
        refused[`${format}/${base}`] = [...(refused[`${format}/${base}`] ?? []), error.message.split('\n')[0]];
        const { model: rest, kept } = without(model, error.detail.place);
        if (kept.every(Boolean)) throw error;
        indices = indices.filter((_, i) => kept[i]);
        model = rest;
      }
    }
    writeFileSync(join(out, `${format}-${base}.outputs.json`), JSON.stringify(indices));
  }
}
writeFileSync(join(out, 'refused.json'), JSON.stringify(refused, undefined, 1));
