import { readdirSync, readFileSync } from 'node:fs';
import { createSession, simd128Engine, sizeOf } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { quantize } from '../../src/compress/index.ts';
import { readNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';
import type { ReadOptions } from '../../src/formats/types.ts';
import { difference, runFile } from './onnx-support.ts';
import { againstVectors } from './onnx-vectors.ts';

const corpus = process.env.GATEFOLD_CORPUS!;
const bytesOf = (path: string) => new Uint8Array(readFileSync(`${corpus}/models/${path}`));

const folders = ['onnx-backend-node', 'onnx2c'].flatMap((set) =>
  readdirSync(`${corpus}/models/${set}`)
    .filter((name) => name.startsWith('test_'))
    .map((name) => `${set}/${name}`),
);

describe.each(folders)('%s', (folder) => {
  it('gives the outputs that stand beside it', async () => {
    expect((await againstVectors(`${corpus}/models/${folder}`)).worst).toBeLessThan(1e-5);
  });
});

it('tract/byte_sb_bidi_lstm gives the outputs that stand beside it', async () => {
  const arrays = readNpz(readFileSync(`${corpus}/models/tract/byte_sb_bidi_lstm/io.npz`));
  const { model } = await readModel(bytesOf('tract/byte_sb_bidi_lstm/model.onnx'));
  const { shape, data } = arrays.get('input')!;
  const out = runFile(model, { input: { shape, data: Float32Array.from(data as ArrayLike<number>) } });
  expect(difference(out.output!.data, arrays.get('Add_26')!.data as ArrayLike<number>)).toBeLessThan(1e-5);
});

// That their outputs equal onnxruntime's is shown by `npm run test:interop`, which asks it.
const streaming: [string, Required<ReadOptions>['fix'], { parameters: number; width: number }][] = [
  ['dtln/model_1.onnx', {}, { parameters: 362_369, width: 257 }],
  ['dtln/model_2.onnx', {}, { parameters: 624_384, width: 512 }],
  ['silero-vad/silero_vad_16k_op15.onnx', { sequence: 576 }, { parameters: 309_121, width: 576 }],
  ['silero-vad/silero_vad_half.onnx', { sequence: 576 }, { parameters: 309_121, width: 576 }],
  ['silero-vad/silero_vad.onnx', { sr: 16_000, 'input[1]': 576 }, { parameters: 309_121, width: 576 }],
  ['silero-vad/silero_vad.onnx', { sr: 8000, 'input[1]': 288 }, { parameters: 235_137, width: 288 }],
];

describe.each(streaming)('%s %j', (path, fix, { parameters, width }) => {
  it('streams call by call with its states as the cells’ own, and quantizes', async () => {
    const { model } = await readModel(bytesOf(path), { fix });
    const count = Object.values(model.weights).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    expect(count).toBe(parameters);
    const session = createSession(model, { engine: simd128Engine });
    expect(session.streams).toBe(true);
    expect(session.inputs.map((port) => [port.shape, port.width])).toEqual([[['batch', 'time', width], width]]);
    const x = Float32Array.from({ length: 5 * width }, (_, i) => Math.sin(i * 0.37) * 0.3);
    const float = Object.values(session.run(x))[0]!;
    const int8 = Object.values(createSession(quantize(model, { bits: 8 }).model, { engine: simd128Engine }).run(x))[0]!;
    expect(int8.shape).toEqual(float.shape);
    expect(int8.data.every(Number.isFinite)).toBe(true);
  });
});

const refused: [string, Required<ReadOptions>['fix'], string][] = [
  ['silero-vad/silero_vad_16k_op15.onnx', {}, 'fix its length: --fix sequence=number'],
  ['silero-vad/silero_vad.onnx', {}, '(sr = 16000)'],
  ['silero-vad/silero_vad_legacy_v4.onnx', { sr: 16_000, sequence: 1536 }, 'has groups inside a step'],
  ['tract/qlstm_3-2-3_T3_S1/model.onnx', {}, 'rounds what goes from one operator to the next'],
];

it.each(refused)('%s %j is refused by name: %s', async (path, fix, reason) => {
  await expect(readModel(bytesOf(path), { fix })).rejects.toThrow(reason);
});
