import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import { readTensor } from '../../src/formats/onnx/graph/initializer.ts';
import { decodeMessage } from '../../src/formats/onnx/proto/decode.ts';
import type { FixedValue } from '../../src/formats/types.ts';
import { difference, type FileArray, fromPort, notesOf, runFile } from './onnx-support.ts';

const corpus = process.env.GATEFOLD_CORPUS!;
const bytesOf = (path: string) => new Uint8Array(readFileSync(`${corpus}/models/${path}`));

async function arrayOf(path: string): Promise<FileArray> {
  const { shape, data } = await readTensor(decodeMessage('Tensor', bytesOf(path)), path, undefined);
  return { shape, data: data as ArrayLike<number> };
}

/** Weights and lengths are inputs in these files, so that a test can hand them in: for us they are to be constant. */
const isConstant = (name: string) => /^([wrbp]|sequence_lens)$/i.test(name);

const folders = ['onnx-backend-node', 'onnx2c'].flatMap((set) =>
  readdirSync(`${corpus}/models/${set}`)
    .filter((name) => name.startsWith('test_'))
    .map((name) => `${set}/${name}`),
);

describe.each(folders)('%s', (folder) => {
  it('gives the outputs that stand beside it', async () => {
    const bytes = bytesOf(`${folder}/model.onnx`);
    const { graph } = decodeMessage('Model', bytes);
    const data = `${folder}/test_data_set_0`;
    const fix: Record<string, FixedValue> = {};
    const inputs: Record<string, FileArray> = {};
    for (const [i, { name = '' }] of graph!.input.entries()) {
      const array = await arrayOf(`${data}/input_${i}.pb`);
      if (isConstant(name)) fix[name] = array;
      else inputs[name] = array;
    }
    const { model } = await readModel(bytes, { fix });
    const out = runFile(model, inputs);
    for (const [i, { name = '' }] of graph!.output.entries()) {
      const reference = await arrayOf(`${data}/output_${i}.pb`);
      const ours = fromPort(notesOf(model)[name]!, out[name]!.data, reference.shape);
      expect(difference(ours, reference.data), name).toBeLessThan(1e-5);
    }
  });
});
