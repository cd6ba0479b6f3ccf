import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession, decode, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/tflite/', import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.tflite'))
  .map((file) => file.slice(0, -'.tflite'.length));

const read = async (name: string) => (await readModel(new Uint8Array(readFileSync(`${folder}${name}.tflite`)))).model;

/** What the interpreter's own rounding of activations may cost. */
const tolerances: Readonly<Record<string, number>> = { 'stack-dynamic': 0.02 };

/** Ops of the graph, recurrent ones by their cells. */
const structures: Readonly<Record<string, string>> = {
  lstm: 'lstm last dense softmax',
  'lstm-sequence': 'lstm dense',
  stack: 'lstm lstm last dense unary dense softmax',
  'stack-dynamic': 'lstm lstm last dense unary dense softmax',
  'stack-int8': 'lstm lstm last dense unary dense softmax',
  gru: 'gru gru last dense',
  rnn: 'rnn last dense',
  'lstm-unrolled': 'lstm lstm last dense',
  'gru-unrolled': 'gru dense',
  'gru-before-unrolled': 'gru last dense',
  'gru-float16': 'gru last dense',
  'rnn-unrolled': 'rnn last dense',
  embedding: 'embedding lstm dense',
  conv: 'conv1d unary lstm reduceTime dense',
  'conv-same': 'conv1d pool lstm last dense',
};

describe('outputs equal the interpreter', () => {
  it.each(names)('%s', async (name) => {
    const model = await read(name);
    const arrays = readNpz(readFileSync(`${folder}${name}.npz`));
    const session = createSession(model, { engine: simd128Engine });
    const x = arrays.get('in0')!;
    const y = arrays.get('out0')!;
    const [count] = x.shape as [number];
    const step = Number(arrays.get('step')?.data[0] ?? 0);
    const tolerance = step > 0 ? 2.001 * step : (tolerances[name] ?? 1e-5);
    const each = { x: x.data.length / count, y: y.data.length / count };
    for (let i = 0; i < count; i++) {
      const data = x.data.slice(i * each.x, (i + 1) * each.x) as Float32Array;
      const out = session.run({ [session.inputs[0]!.name]: data })[session.outputs[0]!.name]!.data;
      expect(out.length).toBe(each.y);
      out.forEach((value, k) => {
        expect(Math.abs(value - Number(y.data[i * each.y + k]))).toBeLessThanOrEqual(tolerance);
      });
    }
  });

  it.each(Object.entries(structures))('%s is read as %s', async (name, structure) => {
    const { nodes } = (await read(name)).graphs.main!;
    expect(nodes.map(({ op, attributes }) => attributes.cell ?? op).join(' ')).toBe(structure);
  });
});

describe('quantized weights', () => {
  it.each(['stack-dynamic', 'stack-int8'])(
    '%s: LSTM matrices keep their codes, with a scale per gate',
    async (name) => {
      const model = await read(name);
      const [first] = model.graphs.main!.nodes;
      for (const role of ['W', 'U']) {
        const { encoding, shape } = model.weights[first!.weights[role]!]!;
        expect(encoding).toMatchObject({ kind: 'affine', bits: 8, rowsPerGroup: 33 });
        if (encoding.kind === 'affine') expect(encoding.scales.length).toBe(4);
        expect(shape[0]).toBe(132);
      }
    },
  );

  it('dynamic range stays within half a step of the float file', async () => {
    const [float, coded] = await Promise.all([read('stack'), read('stack-dynamic')]);
    const pick = (model: typeof float) => model.weights[model.graphs.main!.nodes[0]!.weights.U!]!;
    const encoding = pick(coded).encoding;
    if (encoding.kind !== 'affine') throw new Error('the recurrent matrix has no codes');
    const [a, b] = [decode(pick(float)), decode(pick(coded))];
    a.forEach((value, i) => {
      const scale = encoding.scales[Math.floor(i / (33 * 33))]!;
      expect(Math.abs(value - b[i]!)).toBeLessThanOrEqual(0.5001 * scale);
    });
  });
});
