import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { decode, sizeOf, writeGatefold } from '@gatefold/runtime';
import { architectureTemplate, quantize, readModel, writerFor } from 'gatefold';
import { at } from './files.mjs';
import { ml5Seed, rtneuralSeeds } from './fuzz-json-seeds.mjs';

const settings = [
  { bits: 8 },
  { bits: 4 },
  { bits: 4, scheme: 'log' },
  { bits: 2, scheme: 'codebook' },
  { bits: 12 },
  { scheme: 'f16' },
  { bits: 4, mixed: [{ target: 'U/candidate', bits: 8 }] },
];

/** The forms of PyTorch's files; those without checksums come twice, so that mutants get past the container. */
const torchFiles = [
  ...['legacy.pt', 'module-legacy.pt', 'evil-legacy.pt', 'legacy.pt', 'module-legacy.pt', 'state.safetensors'],
  ...['state.pt', 'bfloat16.pt', 'module-rnn.pt', 'module-deep.pt', 'script.pt', 'tied.pt', 'views.pt'],
];

function torchSeeds() {
  return torchFiles.map((name, i) => {
    const bytes = new Uint8Array(readFileSync(at(`fixtures/torch/${name}`)));
    // Every other one with its template, which reads more of the file than inference does.
    const isTemplate = i % 2 === 1 && !name.startsWith('evil');
    return { name, bytes, ...(isTemplate ? { architecture: architectureTemplate(bytes) } : {}) };
  });
}

/** The smallest files of an extension, with the architecture that stands beside those of weights. */
function kerasSeeds(extension) {
  const folder = at('fixtures/keras/');
  return readdirSync(folder)
    .filter((name) => name.endsWith(extension))
    .map((name) => {
      const json = folder + name.replace(/(\.weights-only|\.weights)?\.(h5|keras)$/, '.json');
      return {
        name,
        bytes: new Uint8Array(readFileSync(folder + name)),
        ...(existsSync(json) ? { architecture: readFileSync(json, 'utf8') } : {}),
      };
    })
    .sort((a, b) => a.bytes.length - b.bytes.length)
    .slice(0, 24);
}

/** With the graph of each, which weights are taken into. */
function hdf5Seeds() {
  return Promise.all(
    kerasSeeds('.h5').map(async (seed) => ({ ...seed, graph: (await readModel(seed.bytes, seed)).model })),
  );
}

/** Archives whose members have no checksums, so that mutants of their code are read. */
function torchscriptSeeds() {
  const folder = at('fixtures/torchscript/');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.pt'))
    .map((name) => {
      const bytes = readFileSync(folder + name);
      for (const [signature, checksum] of [
        ['PK\x03\x04', 14],
        ['PK\x01\x02', 16],
      ]) {
        for (let from = bytes.indexOf(signature, 0, 'latin1'); from >= 0; ) {
          bytes.writeUInt32LE(0, from + checksum);
          from = bytes.indexOf(signature, from + 4, 'latin1');
        }
      }
      return { name: `torchscript ${name}`, bytes: new Uint8Array(bytes) };
    });
}

/** Small valid files of every reader: fixtures, containers of every encoding made from one of them, and made-up JSON. */
export async function fuzzSeeds(reader) {
  const tflite = readdirSync(at('fixtures/tflite/'))
    .filter((name) => name.endsWith('.tflite'))
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(at(`fixtures/tflite/${name}`))) }));
  const onnxFolder = at('fixtures/onnx/');
  const onnx = readdirSync(onnxFolder, { recursive: true })
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(onnxFolder + name)) }));
  // Products in integers are of our own making.
  for (const name of ['lstm-forward.onnx', 'states-sequence.onnx', 'lstm-bidirectional.onnx']) {
    const { model: float } = await readModel(onnx.find((seed) => seed.name === name).bytes);
    const { bytes } = await writerFor('onnx', 'fuzz').write(quantize(float, { bits: 8 }).model, {});
    onnx.push({ name: `int8 ${name}`, bytes });
  }
  const { model } = await readModel(new Uint8Array(readFileSync(at('fixtures/keras/k3-sequential.keras'))));
  const containers = [{ name: 'float', bytes: writeGatefold(model) }];
  for (const options of settings) {
    const chosen = options.mixed && !JSON.stringify(model).includes('recurrent') ? { bits: 4 } : options;
    containers.push({
      name: `gatefold ${JSON.stringify(options)}`,
      bytes: writeGatefold(quantize(model, chosen).model),
    });
  }
  const sparse = withoutBlocks(model);
  containers.push({ name: 'sparse float', bytes: writeGatefold(sparse) });
  const readers = {
    gatefold: containers,
    keras: [...kerasSeeds('.keras'), ...(await hdf5Seeds())],
    tfjs: tfjsSeeds(),
    rtneural: rtneuralSeeds,
    ml5: [ml5Seed],
    torch: torchSeeds(),
    torchscript: torchscriptSeeds(),
    onnx,
    tflite,
  };
  return reader === 'all' ? Object.values(readers).flat() : (readers[reader] ?? []);
}

/** The model with every other, and with all but every ninth, block of 4 × 2 removed: a bitmap and gaps. */
function withoutBlocks(model) {
  let every = 2;
  const entries = Object.entries(model.weights).map(([name, weight]) => {
    if (weight.shape.length < 2) return [name, weight];
    every = every === 2 ? 9 : 2;
    const columns = sizeOf(weight.shape.slice(1));
    const across = Math.ceil(columns / 2);
    const kept = Uint8Array.from({ length: Math.ceil(weight.shape[0] / 4) * across }, (_, i) =>
      i % every === 1 ? 1 : 0,
    );
    const values = decode(weight).map((value, i) => {
      const block = Math.floor(i / columns / 4) * across + Math.floor((i % columns) / 2);
      return kept[block] ? value : 0;
    });
    const sparsity = { block: [4, 2], gateRows: weight.shape[0], kept };
    return [name, { ...weight, encoding: { kind: 'dense', type: 'f32', values }, sparsity }];
  });
  return { ...model, weights: Object.fromEntries(entries) };
}

/** Layers models of TensorFlow.js with the files beside them. */
function tfjsSeeds() {
  const folder = at('fixtures/tfjs/');
  return readdirSync(folder).map((name) => {
    const files = readdirSync(folder + name).filter((file) => !file.endsWith('.json'));
    return {
      name: `tfjs ${name}`,
      bytes: new Uint8Array(readFileSync(`${folder}${name}/model.json`)),
      beside: new Map(files.map((file) => [file, new Uint8Array(readFileSync(`${folder}${name}/${file}`))])),
    };
  });
}
