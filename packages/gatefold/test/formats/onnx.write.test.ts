import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession, decode, GatefoldError, type Model, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { type QuantizeOptions, quantize } from '../../src/compress/index.ts';
import { readModel } from '../../src/formats/index.ts';
import { onnx } from '../../src/formats/onnx/index.ts';
import { decodeMessage } from '../../src/formats/onnx/proto/decode.ts';
import { fewestUnits } from '../../src/formats/onnx/write/gru.ts';
import { calmGru, difference, fromPort, notesOf, randomInputs } from './onnx-support.ts';

const at = (path: string) => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url));
const files = ['onnx', 'keras'].flatMap((folder) =>
  readdirSync(at(folder))
    .filter((name) => /\.(onnx|h5|keras)$/.test(name) && !name.includes('weights'))
    .map((name) => `${folder}/${name}`),
);

const read = (path: string) =>
  readModel(new Uint8Array(readFileSync(at(path))), {
    fix: path.includes('branches') ? { rate: 8 } : {},
    beside: async (name) => new Uint8Array(readFileSync(at(`onnx/${name}`))),
  });

/** The shape of an output in the file: as ours, with what axes of length 1 the file has more or less. */
function fileShape(note: readonly (string | number)[], shape: readonly number[]): readonly number[] {
  return note.length === shape.length
    ? shape
    : note.map((axis, i) => (typeof axis === 'number' ? axis : (shape[i] ?? 1)));
}

function same(a: Model, b: Model, tolerance: number): void {
  const inputs = randomInputs(a);
  const first = createSession(a, { engine: simd128Engine }).run(inputs, { batch: 2 });
  const second = createSession(b, { engine: simd128Engine }).run(inputs, { batch: 2 });
  for (const [name, { data, shape }] of Object.entries(first)) {
    // The file holds our order of axes; read back, batch and time come first again, wherever they went.
    const back = fromPort(notesOf(b)[name]!, second[name]!.data, fileShape(notesOf(b)[name]!, shape));
    expect(difference(back, data), name).toBeLessThan(tolerance);
  }
}

/** What ONNX files cannot hold, or what we write for it and do not read: each with its reason. */
const oneWay: Readonly<Record<string, RegExp>> = {
  mask: /has no masks over time/,
  cell: /has no cell with the function/,
  projection: /has no projected states/,
  truth: /(GreaterOrEqual|Equal) node .* its op has no meaning here/,
};

describe.each(files)('%s', (path) => {
  it('keeps its outputs through ONNX and back, or says what ONNX lacks', async () => {
    const { model } = await read(path);
    try {
      same(model, (await readModel((await onnx.write!(model, {})).bytes)).model, 1e-6);
    } catch (error) {
      if (!(error instanceof GatefoldError)) throw error;
      expect(
        Object.values(oneWay).some((reason) => reason.test(error.message)),
        error.message,
      ).toBe(true);
      expect(path, error.message).toMatch(/^keras/);
    }
  });
});

describe('integer kernels', () => {
  const load = async () => (await readModel(new Uint8Array(readFileSync(at('charlm/charlm-lstm256.h5'))))).model;
  const rows: [string, QuantizeOptions, string[], number][] = [
    ['8 bits', { bits: 8 }, ['DynamicQuantizeLSTM', 'DynamicQuantizeLSTM', 'MatMulInteger'], 2],
    ['7 bits', { bits: 7 }, ['DynamicQuantizeLSTM', 'DynamicQuantizeLSTM', 'MatMulInteger'], 3],
    ['float32 operands', { bits: 8, operand: 'f32' }, ['LSTM', 'LSTM', 'MatMul'], 3],
    ['4 bits', { bits: 4 }, ['LSTM', 'LSTM', 'MatMul'], 22],
    ['offsets', { bits: 8, symmetric: false }, ['LSTM', 'LSTM', 'MatMul'], 3],
    ['the head alone', { bits: 8, target: ['kernel'] }, ['LSTM', 'LSTM', 'MatMulInteger'], 2],
  ];

  it.each(rows)('%s', async (_, options, ops, type) => {
    const { model } = quantize(await load(), options);
    const { bytes } = await onnx.write!(model, {});
    const { graph, opsetImport } = decodeMessage('Model', bytes);
    const products = graph!.node.map(({ opType }) => opType!).filter((op) => /LSTM|MatMul/.test(op));
    const lstms = model.graphs.main!.nodes.filter(({ op }) => op === 'recurrent').length;
    expect(products).toEqual([...ops.slice(0, lstms), ops.at(-1)]);
    expect(opsetImport.some(({ domain }) => domain === 'com.microsoft')).toBe(/Dynamic/.test(ops[0]!));
    const wide = graph!.initializer.filter(({ dims }) => dims.length > 1 && dims.reduce((a, b) => a * b) > 10_000);
    expect(wide.every(({ dataType }) => dataType === type || dataType === 1 || dataType === 3)).toBe(true);
    expect(wide.some(({ dataType }) => dataType === type)).toBe(true);
    const back = (await readModel(bytes)).model;
    const meaning = (m: Model) =>
      Object.values(m.weights)
        .filter(({ shape }) => shape.length === 2)
        .map((w) => JSON.stringify([w.input.kind, [...decode(w)]]))
        .sort();
    const asWritten = (m: Model): Model => ({
      ...m,
      weights: Object.fromEntries(
        Object.entries(m.weights).map(([name, w]) => [
          name,
          ops.some((op) => /Integer|Dynamic/.test(op)) ? w : { ...w, input: { kind: 'f32' } },
        ]),
      ),
    });
    expect(meaning(back)).toEqual(meaning(asWritten(model)));
  });
});

describe('GRUs in integers', () => {
  const rows = [512, 511].flatMap((units) =>
    (['gruAfter', 'gruBefore'] as const).flatMap((cell) =>
      [{}, { direction: 'backward' }].map((more) => [cell, units, more] as const),
    ),
  );

  it.each(rows)('%s of %i units %j', async (cell, units, more) => {
    const { model: whole } = quantize(calmGru(cell, units), { bits: 8 });
    const { main } = whole.graphs;
    const nodes = main!.nodes.map((node) =>
      node.op === 'recurrent' ? { ...node, attributes: { ...node.attributes, ...more } } : node,
    );
    const model: Model = { ...whole, graphs: { main: { ...main!, nodes } } };
    const { bytes } = await onnx.write!(model, {});
    const ops = decodeMessage('Model', bytes).graph!.node.map(({ opType }) => opType);
    expect(ops.filter((op) => op === 'GRU' || op === 'Scan')).toEqual([units < fewestUnits ? 'GRU' : 'Scan']);
    const back = (await readModel(bytes)).model;
    const attributes = (m: Model) => m.graphs.main!.nodes.find(({ op }) => op === 'recurrent')!.attributes;
    expect(attributes(back)).toMatchObject({ cell: 'gru', units, ...more });
    expect(attributes(back).resetAfter === true).toBe(attributes(model).resetAfter);
    const matrices = (m: Model) =>
      Object.values(m.weights)
        .filter(({ shape }) => shape.length === 2)
        .map((w) => JSON.stringify([...decode(w)]))
        .sort();
    expect(matrices(back)).toEqual(matrices(model));
    if (units >= fewestUnits) same(model, back, 0.1);
  });

  it('another body of a Scan is refused by name', async () => {
    const { model } = quantize(calmGru('gruAfter', 512), { bits: 8 });
    const { bytes } = await onnx.write!(model, {});
    const other = Buffer.from(bytes);
    for (let at = other.indexOf('Tanh'); at >= 0; at = other.indexOf('Tanh')) other.write('Sqrt', at);
    await expect(readModel(new Uint8Array(other))).rejects.toThrow(
      /Scan node .* a loop; of those, only steps of a GRU/,
    );
  });
});
