import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { createSession, decode, GatefoldError, type Model, simd128Engine, sizeOf } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { readNpz } from '../../src/data/npz.ts';
import { readModel, readParts } from '../../src/formats/index.ts';
import type { ReadOptions } from '../../src/formats/types.ts';
import { languageModel, windPower } from './corpus-architectures.ts';
import { difference, runFile } from './onnx-support.ts';
import { againstVectors } from './onnx-vectors.ts';

const models = `${process.env.GATEFOLD_CORPUS}/models/`;
const bytesOf = (path: string) => new Uint8Array(readFileSync(models + path));

/** Model files; what else stands in the folders belongs to one of them, or tells of it. */
const isModel = (path: string) =>
  /\.(h5|hdf5|keras|pt|pth|ckpt|jit|safetensors|onnx|tflite)$|\/(model|manifest)\.json$|^rtneural\/models\/|^ml-kws.*\.pb$|_rnn\.json\.gz$/.test(
    path,
  );

function filesUnder(folder: string): string[] {
  return readdirSync(models + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = folder + entry.name;
    return entry.isDirectory() ? filesUnder(`${path}/`) : [path];
  });
}

interface Entry extends Pick<ReadOptions, 'fix' | 'architecture'> {
  /** What the outputs are compared with, and where that is done; here where it is a function or another file. */
  readonly reference: string;
  readonly most?: number;
  readonly measure?: (model: Model) => Promise<number>;
  /** Another file of the same model: largest difference of the outputs. */
  readonly twin?: string;
}

const chunk = { sequence: 576 };
const litert = 'LiteRT (`test:interop`)';
const keras = 'Keras (`test:interop`)';
const onnxruntime = 'onnxruntime (`test:interop`)';
const torch = 'PyTorch (`test:interop`)';

/** Seeded inputs of a few steps, alike for files of the same model. */
function wave(model: Model): { outputs: Float32Array[]; model: Model } {
  const session = createSession(model, { engine: simd128Engine });
  const inputs = Object.fromEntries(
    session.inputs.map(({ name, shape }, k) => {
      const size = shape.reduce<number>((n, dim) => n * (dim === 'batch' ? 1 : dim === 'time' ? 12 : dim), 1);
      return [name, Float32Array.from({ length: size }, (_, i) => Math.abs(Math.sin(i * 0.7 + Math.sin(i + k))) * 0.2)];
    }),
  );
  const results = session.run(inputs);
  return { model, outputs: session.outputs.map(({ name }) => results[name]!.data) };
}

async function apart(model: Model, twin: string): Promise<number> {
  const other = (await open(twin)).model;
  const [a, b] = [wave(model).outputs, wave(other).outputs];
  return Math.max(...a.map((values, i) => difference(values, b[i]!)));
}

const column = (name: string) =>
  readFileSync(`${models}rtneural/test_data/${name}.csv`, 'utf8').trim().split('\n').map(Number);
const rtneural = async (model: Model, name: string) => {
  const { y } = createSession(model).run({ x: Float32Array.from(column(`${name}_x_python`)) });
  return difference(y!.data, column(`${name}_y_python`));
};

const table: Readonly<Record<string, Entry>> = {
  'keras2c/model.h5': { reference: keras, most: 1e-5 },
  'guitarlstm/ts9_model.h5': { reference: keras, most: 1e-5 },
  'hungarian-charlm/bilstm_model_64.h5': { reference: keras, most: 1e-5 },
  ...Object.fromEntries(
    ['RNN2_300ms', 'RNN2_90ms', 'RNN2_300ms_2state'].flatMap((name): [string, Entry][] => [
      [`emg-cdt406/${name}.keras`, { reference: keras, most: 1e-5 }],
      [`emg-cdt406/${name}.tflite`, { reference: 'the .keras beside it', twin: `emg-cdt406/${name}.keras` }],
    ]),
  ),
  'felixchenfy/kaggle.ckpt': { reference: torch, most: 1e-5 },
  'felixchenfy/my.ckpt': { reference: 'none published; the layers are those of kaggle.ckpt' },
  'wind-power/glstm_noclass_best.pth': { reference: torch, most: 1e-5 },
  'wind-power/bilstm_optuna_best.pt': { architecture: windPower(['head.0', 'head.3']), reference: torch, most: 1e-5 },
  'wind-power/bilstm_ga_best_noclass.pt': { architecture: windPower(['lin1', 'lin2']), reference: torch, most: 1e-5 },
  'dlfs2-ptb/Rnnlm.safetensors': {
    architecture: languageModel,
    reference: 'the equations of its book (torch.corpus.test.ts)',
    most: 1e-4,
  },
  'tract/byte_sb_bidi_lstm/model.onnx': {
    reference: 'vectors beside it',
    measure: async (model) => {
      const arrays = readNpz(readFileSync(`${models}tract/byte_sb_bidi_lstm/io.npz`));
      const { shape, data } = arrays.get('input')!;
      const out = runFile(model, { input: { shape, data: Float32Array.from(data as ArrayLike<number>) } });
      return difference(out.output!.data, arrays.get('Add_26')!.data as ArrayLike<number>);
    },
  },
  'silero-vad/silero_vad_16k_op15.onnx': { fix: chunk, reference: onnxruntime, most: 1e-5 },
  'silero-vad/silero_vad.onnx': {
    fix: { sr: 16_000, 'input[1]': 576 },
    reference: 'silero_vad_16k_op15.onnx',
    twin: 'silero-vad/silero_vad_16k_op15.onnx',
  },
  'silero-vad/silero_vad_half.onnx': { fix: chunk, reference: onnxruntime, most: 1e-5 },
  'dtln/model_1.onnx': { reference: onnxruntime, most: 1e-5 },
  'dtln/model_2.onnx': { reference: onnxruntime, most: 1e-5 },
  'dtln/model_1.tflite': { reference: 'model_1.onnx', twin: 'dtln/model_1.onnx' },
  'dtln/model_2.tflite': { reference: 'model_2.onnx', twin: 'dtln/model_2.onnx' },
  'dtln/model_quant_1.tflite': { reference: `${litert}, which codes operands in 8 bits`, most: 0.02 },
  'dtln/model_quant_2.tflite': { reference: `${litert}, which codes operands in 8 bits`, most: 0.04 },
  'tflite-micro/mnist_lstm/trained_lstm.tflite': { reference: litert, most: 1e-5 },
  'tflite-micro/mnist_lstm/trained_lstm_int8.tflite': { reference: `${litert}: within two steps of its output` },
  'tflite-micro/micro_speech_lstm/micro_speech_lstm.tflite': { reference: `${litert}: within two steps of its output` },
  'tflite-micro/dtln/dtln_noise_suppression.tflite': {
    reference: `${litert}: 99 % within two steps; a code of its logits is 2.5 of them, its h has 8 bits, ours float32`,
  },
  'tfjs-reiinakano/lstm/model.json': { reference: 'TensorFlow.js (tfjs.corpus.test.ts)', most: 1e-5 },
  'ml5-charrnn/charlotte_bronte/manifest.json': { reference: 'its equations (ml5.corpus.test.ts)', most: 1e-5 },
  ...Object.fromEntries(
    ['gru', 'gru_1d', 'lstm', 'lstm_1d', 'gru_torch', 'lstm_torch'].map((name): [string, Entry] => [
      `rtneural/models/${name}.json`,
      { reference: 'vectors beside it', measure: (model) => rtneural(model, name) },
    ]),
  ),
  'rtneural/models/full_model.json': { reference: 'none published' },
};

const open = (path: string) => {
  const { fix, architecture } = table[path] ?? {};
  return readModel(bytesOf(path), {
    name: basename(path),
    beside: async (name) => bytesOf(`${dirname(path)}/${name}`),
    ...(fix ? { fix } : {}),
    ...(architecture ? { architecture } : {}),
  });
};

/** Layers with weights, in order. */
function layersOf({ graphs }: Model): string {
  const names = graphs
    .main!.nodes.filter(({ weights }) => Object.keys(weights).length > 0)
    .map(({ op, attributes }) => String(op === 'recurrent' ? attributes.cell : op));
  const out: [string, number][] = [];
  for (const name of names) {
    const last = out.at(-1);
    if (last?.[0] === name) last[1]++;
    else out.push([name, 1]);
  }
  return out.map(([name, count]) => (count === 1 ? name : `${name} ×${count}`)).join(', ');
}

/** The smallest power of ten that the difference stays below: what is printed is the same on every machine. */
const bound = (worst: number) => (worst === 0 ? '0' : `< 1e${Math.floor(Math.log10(worst)) + 1}`);

async function rowOf(path: string): Promise<string> {
  try {
    const vectors = /^onnx(-backend-node|2c)\/test_/.test(path);
    const own = vectors ? await againstVectors(models + dirname(path)) : undefined;
    const { model } = own ?? (await open(path));
    const entry: Entry | undefined = vectors ? { reference: 'vectors beside it' } : table[path];
    const parameters = Object.values(model.weights).reduce((sum, weight) => sum + sizeOf(weight.shape), 0);
    expect(Object.values(model.weights).every((weight) => decode(weight).every(Number.isFinite))).toBe(true);
    let worst = own?.worst ?? (await entry?.measure?.(model));
    if (entry?.twin) worst = await apart(model, entry.twin);
    const shown = worst !== undefined ? bound(worst) : entry?.most ? `≤ ${entry.most.toExponential()}` : '';
    const asked = [entry?.fix ? '`--fix`' : '', entry?.architecture ? '`--arch`' : ''].filter(Boolean).join(' ');
    return `| ${path} | ${[layersOf(model), asked].filter(Boolean).join('; ')} | ${parameters.toLocaleString('en-US')} | ${entry?.reference ?? 'none published'} | ${shown} |`;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    const [reason = ''] = error.message.split('\n');
    const { place = '', found: given = '' } = error.detail;
    // Of code that is in the file and says more than layers, the reason tells more than the keys of all tensors.
    const found = place.startsWith('forward()') ? place.split('; ')[0]! : given.replaceAll(/\s+/g, ' ');
    const detail = found.length > 160 ? `${found.slice(0, 160)} …` : found;
    const parts = await readParts(bytesOf(path)).then(
      ({ model }) => `; in place: ${layersOf(model)}`,
      () => '',
    );
    return `| ${path} | refused: ${[reason, detail].filter(Boolean).join(': ').replaceAll('|', '\\|')}${parts} | | | |`;
  }
}

it('docs/corpus.md says what the code does', { timeout: 240_000 }, async () => {
  const files = filesUnder('').filter(isModel).sort();
  const rows: string[] = [];
  for (const path of files) rows.push(await rowOf(path));
  for (const path of Object.keys(table)) expect(files, path).toContain(path);
  const text = `# Files from the wild

Every model file of the corpus that these tests run on (published by others, not part of this repository): what it is read as, and
by how much its outputs differ from a reference, |ours − reference| / max(1, |reference|); or why it is refused. Made by
packages/gatefold/test/formats/corpus-list.corpus.test.ts (\`npm run test:corpus -- corpus-list -u\` writes it anew). Differences with
a test's name are bounds that the test holds; the others were measured for this list. \`--fix\` and \`--arch\` mark files that leave
something open, which the test says. "In place" are the layers that \`quantize\` and \`prune\` compress in the file all the same.

| file | layers with weights, or refusal | parameters | reference | largest difference |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

Of vectors without a model file, those of keras-js (27, keras.corpus.test.ts) and rten (torch.corpus.test.ts) are met within 1e-5.
`;
  await expect(text).toMatchFileSnapshot('../../../../docs/corpus.md');
});
