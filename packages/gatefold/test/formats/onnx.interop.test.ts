import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession, decode, denseWeight, GatefoldError, type Model, simd128Engine } from '@gatefold/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { quantize } from '../../src/compress/index.ts';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';
import { onnx } from '../../src/formats/onnx/index.ts';
import { decodeMessage } from '../../src/formats/onnx/proto/decode.ts';
import type { ReadOptions, WriteOptions } from '../../src/formats/types.ts';
import { calmGru, difference, type FileArray, fromPort, notesOf, randomInputs, runFile } from './onnx-support.ts';
import { type Given, onnxPython, onnxruntime } from './onnxruntime.ts';

// Needs the venv that `interop/setup.sh onnx` makes: every file we write is run by the real onnxruntime.

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const corpus = process.env.GATEFOLD_CORPUS;
const folder = mkdtempSync(join(tmpdir(), 'gatefold-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function written(model: Model, options: WriteOptions = {}): Promise<{ path: string; bytes: Uint8Array }> {
  const { bytes } = await onnx.write!(model, options);
  const path = join(folder, 'model.onnx');
  writeFileSync(path, bytes);
  return { path, bytes };
}

/** Inputs of two sequences as both runtimes take them. */
function inputsOf(model: Model): { ours: Record<string, Float32Array>; given: Record<string, Given> } {
  const ours = randomInputs(model);
  const ports = createSession(model, { engine: simd128Engine }).inputs;
  const given = Object.fromEntries(
    ports.map(({ name, shape, dtype }): [string, Given] => [
      name,
      {
        shape: shape.map((dim) => (dim === 'batch' ? 2 : dim === 'time' ? 9 : dim)),
        data: [...ours[name]!],
        type: dtype,
      },
    ]),
  );
  return { ours, given };
}

function compare(model: Model, path: string): void {
  const { ours, given } = inputsOf(model);
  const [theirs] = onnxruntime({ model: path, calls: [given] });
  const out = createSession(model, { engine: simd128Engine }).run(ours, { batch: 2 });
  for (const [name, { data, shape }] of Object.entries(out)) {
    expect(theirs![name]!.shape, name).toEqual(shape);
    expect(difference(data, theirs![name]!.data), name).toBeLessThan(1e-5);
  }
}

/** The model with the values that its weights mean, so that nothing rounds the operands of its products. */
function decoded(model: Model): Model {
  const weights = Object.entries(model.weights).map(([name, w]) => [name, denseWeight(w.shape, decode(w))]);
  return { ...model, weights: Object.fromEntries(weights) };
}

const files = ['onnx', 'keras'].flatMap((kind) =>
  readdirSync(`${root}fixtures/${kind}`)
    .filter((name) => /\.(onnx|h5|keras)$/.test(name) && !name.includes('weights'))
    .map((name) => `fixtures/${kind}/${name}`),
);

describe.skipIf(!existsSync(onnxPython)).each(files)('%s', (path) => {
  it('gives our numbers when onnxruntime runs what we write', async () => {
    const { model } = await readModel(new Uint8Array(readFileSync(root + path)), {
      fix: path.includes('branches') ? { rate: 8 } : {},
      beside: async (name) => new Uint8Array(readFileSync(`${root}fixtures/onnx/${name}`)),
    });
    try {
      compare(model, (await written(model, { explicitStates: false })).path);
    } catch (error) {
      // The formats' own test knows the reasons.
      if (!(error instanceof GatefoldError && error.code === 'MODEL_UNSUPPORTED')) throw error;
    }
  });
});

const settings: [string, Parameters<typeof quantize>[1], number][] = [
  ['int8', { bits: 8, operand: 'f32' }, 0.3],
  ['int8 for each tensor', { bits: 8, operand: 'f32', granularity: 'tensor' }, 0.3],
  ['int4', { bits: 4 }, 0.2],
  ['12 bits', { bits: 12 }, 0.55],
  ['float16', { scheme: 'f16' }, 0.55],
  ['4-bit logarithmic', { bits: 4, scheme: 'log' }, 0.3],
  ['codebooks', { bits: 2, scheme: 'codebook' }, 0.3],
  ['mixed', { bits: 4, mixed: [{ target: 'U/candidate', bits: 8, operand: 'f32' }] }, 0.25],
];

describe.skipIf(!existsSync(onnxPython)).each(settings)('quantized: %s', (_, options, size) => {
  it.each(['fixtures/charlm/charlm-lstm256.h5', 'fixtures/onnx/gru-after-forward.onnx', 'fixtures/onnx/conv-gru.onnx'])(
    '%s',
    async (path) => {
      const source = await readModel(new Uint8Array(readFileSync(root + path)));
      const { model } = quantize(source.model, options);
      const { path: file, bytes } = await written(model);
      compare(decoded(model), file);
      // Read back, the matrices mean exactly what our runtime uses.
      const back = (await readModel(bytes)).model;
      const matrices = (each: Model) =>
        Object.values(each.weights)
          .filter(({ shape }) => shape.length === 2)
          .map((w) => JSON.stringify([...decode(w)]))
          .sort();
      expect(matrices(back)).toEqual(matrices(model));
      if (path.includes('charlm')) {
        const float = (await written(source.model)).bytes.length;
        expect(bytes.length / float).toBeLessThan(size);
      }
    },
    60_000,
  );

  it('onnxruntime decodes a matrix to exactly our values', async () => {
    const source = await readModel(new Uint8Array(readFileSync(`${root}fixtures/charlm/charlm-lstm256.h5`)));
    const { model } = quantize(source.model, options);
    const { path, bytes } = await written(model);
    const { graph } = decodeMessage('Model', bytes);
    const dense = Object.values(model.graphs)[0]!.nodes.find(({ op }) => op === 'dense')!;
    const turn = graph!.node.find(({ opType, name }) => opType === 'Transpose' && name!.includes('turned'))!;
    const matrix = turn.input[0]!;
    if (!graph!.node.some(({ output }) => output.includes(matrix))) return;
    const { given } = inputsOf(model);
    const [out] = onnxruntime({ model: path, calls: [given], expose: [matrix] });
    expect(out![matrix]!.data).toEqual([...decode(model.weights[dense.weights.kernel!]!)]);
  });
});

const integers: [string, Parameters<typeof quantize>[1]][] = [
  ['int8', { bits: 8 }],
  ['int8 by gate', { bits: 8, granularity: 'gate' }],
  ['7 bits', { bits: 7 }],
  ['5 bits', { bits: 5 }],
];
const lstms = ['forward', 'bidirectional', 'reverse', 'clip', 'peepholes', 'activations'];

describe.skipIf(!existsSync(onnxPython)).each(integers)('multiplied in integers: %s', (_, options) => {
  it.each([
    'charlm/charlm-lstm256.h5',
    'onnx/lstm-bare.onnx',
    'onnx/lstm-forward-states.onnx',
    ...lstms.map((name) => `onnx/lstm-${name}.onnx`),
  ])('%s', async (path) => {
    const source = await readModel(new Uint8Array(readFileSync(`${root}fixtures/${path}`)));
    const { model } = quantize(source.model, options);
    const { path: file, bytes } = await written(model, { explicitStates: false });
    const { graph } = decodeMessage('Model', bytes);
    expect(graph!.node.some(({ opType }) => opType === 'DynamicQuantizeLSTM')).toBe(true);
    const matrices = (each: Model) =>
      Object.values(each.weights)
        .filter(({ shape }) => shape.length === 2)
        .map((w) => JSON.stringify([...decode(w)]))
        .sort();
    expect(matrices((await readModel(bytes)).model)).toEqual(matrices(model));
    // Operands are coded in 8 bits there, by the range of the whole call, and in 7 here, by that of a step.
    const { ours, given } = inputsOf(model);
    const [theirs] = onnxruntime({ model: file, calls: [given] });
    const out = createSession(model, { engine: simd128Engine }).run(ours, { batch: 2 });
    for (const [name, { data }] of Object.entries(out)) {
      expect(difference(data, theirs![name]!.data), name).toBeLessThan(0.08);
    }
  });
});

describe.skipIf(!existsSync(onnxPython))('GRU of 512 units in integers', () => {
  it.each(['gruAfter', 'gruBefore'] as const)('%s', async (cell) => {
    const { model } = quantize(calmGru(cell, 512), { bits: 8 });
    const { path, bytes } = await written(model);
    expect(decodeMessage('Model', bytes).graph!.node.some(({ opType }) => opType === 'Scan')).toBe(true);
    const { ours, given } = inputsOf(model);
    const [theirs] = onnxruntime({ model: path, calls: [given] });
    const out = createSession(model, { engine: simd128Engine }).run(ours, { batch: 2 });
    for (const [name, { data }] of Object.entries(out)) {
      const scale = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(difference(data, theirs![name]!.data) / scale, name).toBeLessThan(0.08);
    }
  });
});

describe.skipIf(!existsSync(onnxPython))('quantized by onnxruntime', () => {
  it.each(lstms)('lstm-%s is read with its codes', async (name) => {
    const source = `${root}fixtures/onnx/lstm-${name}.onnx`;
    const given: Record<string, FileArray & Given> = {};
    for (const [key, { shape, data }] of readNpz(readFileSync(source.replace('.onnx', '.npz')))) {
      if (key.startsWith('in.')) given[key.slice(3)] = { shape, data: Array.from(data as ArrayLike<number>) };
    }
    const quantized = join(folder, `${name}.onnx`);
    const [theirs] = onnxruntime({ model: source, calls: [given], quantize: quantized });
    const { model } = await readModel(new Uint8Array(readFileSync(quantized)));
    const matrices = Object.values(model.weights).filter(({ shape }) => shape.length === 2);
    for (const { encoding, input } of matrices) expect([encoding.kind, input.kind]).toEqual(['affine', 'u7']);
    for (const [port, { data }] of Object.entries(runFile(model, given))) {
      const { shape, data: reference } = theirs![port]!;
      expect(difference(fromPort(notesOf(model)[port]!, data, shape), reference), port).toBeLessThan(0.08);
    }
  });
});

const streams: [string, Required<ReadOptions>['fix'], readonly string[]][] = [
  ['fixtures/onnx/states-sequence.onnx', {}, []],
  ['fixtures/onnx/states-step.onnx', {}, []],
  ...(corpus
    ? ([
        ['dtln/model_1.onnx', {}, ['input_2', 'input_3', 'tf_op_layer_stack_2']],
        ['dtln/model_2.onnx', {}, ['input_4', 'input_5', 'tf_op_layer_stack_5']],
        ['silero-vad/silero_vad_16k_op15.onnx', { sequence: 576 }, ['input', 'state', 'stateN', 'sr']],
        ['silero-vad/silero_vad.onnx', { sr: 16_000, 'input[1]': 576 }, ['input', 'state', 'stateN', 'sr']],
        ['silero-vad/silero_vad_half.onnx', { sequence: 576 }, ['input', 'state', 'stateN']],
      ] as [string, Required<ReadOptions>['fix'], string[]][])
    : []),
];

describe.skipIf(!existsSync(onnxPython)).each(streams)('%s', (path, fix, [data, stateIn, stateOut, rate]) => {
  const file = path.startsWith('fixtures') ? root + path : `${corpus}/models/${path}`;
  const steps = 12;
  const load = async () => (await readModel(new Uint8Array(readFileSync(file)), { fix })).model;
  const ourSteps = (model: Model) => {
    const session = createSession(model, { engine: simd128Engine });
    const { name, width } = session.inputs[0]!;
    const x = Float32Array.from({ length: steps * width }, (_, i) => Math.sin(i * 0.7 + Math.sin(i)) * 0.2);
    const out = session.run({ [name]: x });
    return { name, width, x, out: Object.values(out)[0]!.data, port: session.outputs[0]!.name };
  };
  const zeros = (shape: readonly number[]): Given => ({
    shape,
    data: new Array(shape.reduce((a, b) => a * b, 1)).fill(0),
  });

  it.skipIf(data === undefined)('read: streams as the file does call by call', async () => {
    const model = await load();
    const { width, x, out } = ourSteps(model);
    const dims = (shape: readonly { dimValue: number | undefined }[]) => shape.map(({ dimValue }) => dimValue || 1);
    const inputs = decodeMessage('Model', new Uint8Array(readFileSync(file))).graph!.input;
    const shapeOf = (name: string) => dims(inputs.find((info) => info.name === name)!.type!.tensorType!.shape!.dim);
    const shape = shapeOf(data!).map((n, i, all) => (i === all.length - 1 && n === 1 ? width : n));
    const calls = Array.from({ length: steps }, (_, t) => ({
      [data!]: { shape, data: [...x.subarray(t * width, (t + 1) * width)] },
      ...(t === 0 ? { [stateIn!]: zeros(shapeOf(stateIn!)) } : {}),
      ...(rate ? { [rate]: { shape: [], data: [16_000], type: 'int64' } } : {}),
    }));
    const theirs = onnxruntime({ model: file, calls, carry: { [stateIn!]: stateOut! } });
    const name = Object.keys(theirs[0]!).find((key) => key !== stateOut)!;
    const reference = theirs.flatMap((call) => call[name]!.data);
    expect(difference(out, reference)).toBeLessThan(1e-5);
  });

  it('written: states go in and out, and step by step it gives our numbers', async () => {
    const model = await load();
    const { name, width, x, out, port } = ourSteps(model);
    const { path: own, bytes } = await written(model);
    const { graph } = decodeMessage('Model', bytes);
    const states = graph!.input.map((info) => info.name!).filter((other) => other !== name);
    expect(states.length).toBeGreaterThan(0);
    const size = (state: string) =>
      graph!.input.find((info) => info.name === state)!.type!.tensorType!.shape!.dim[2]!.dimValue!;
    const calls = Array.from({ length: steps }, (_, t) => ({
      [name]: { shape: [1, 1, width], data: [...x.subarray(t * width, (t + 1) * width)] },
      ...(t === 0 ? Object.fromEntries(states.map((state) => [state, zeros([1, 1, size(state)])])) : {}),
    }));
    const carry = Object.fromEntries(states.map((state) => [state, `${state}.next`]));
    const theirs = onnxruntime({ model: own, calls, carry });
    expect(
      difference(
        out,
        theirs.flatMap((call) => call[port]!.data),
      ),
    ).toBeLessThan(1e-5);
    // And back: the same states are the cells' own again.
    const back = await readModel(bytes);
    expect(createSession(back.model, { engine: simd128Engine }).streams).toBe(true);
    expect(difference(ourSteps(back.model).out, out)).toBeLessThan(1e-6);
  });
});
