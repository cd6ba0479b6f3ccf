import { existsSync, readFileSync } from 'node:fs';
import { readModel } from '../../src/formats/index.ts';
import { readTensor } from '../../src/formats/onnx/graph/initializer.ts';
import { decodeMessage } from '../../src/formats/onnx/proto/decode.ts';
import type { FixedValue } from '../../src/formats/types.ts';
import { difference, type FileArray, fromPort, notesOf, runFile } from './onnx-support.ts';

async function arrayOf(path: string): Promise<FileArray> {
  const { shape, data } = await readTensor(decodeMessage('Tensor', read(path)), path, undefined);
  return { shape, data: data as ArrayLike<number> };
}

const read = (path: string) => new Uint8Array(readFileSync(path));

/** Weights and lengths are inputs in these files, so that a test can hand them in: for us they are to be constant. */
const isConstant = (name: string) => /^([wrbp]|sequence_lens)$/i.test(name);

/** The model of a folder of ONNX test vectors, and its largest difference from them. */
export async function againstVectors(folder: string) {
  const bytes = read(`${folder}/model.onnx`);
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
  let worst = 0;
  for (const [i, { name = '' }] of graph!.output.entries()) {
    const path = `${data}/output_${i}.pb`;
    if (!existsSync(path)) throw new Error(`${path} is missing`);
    const reference = await arrayOf(path);
    const ours = fromPort(notesOf(model)[name]!, out[name]!.data, reference.shape);
    worst = Math.max(worst, difference(ours, reference.data));
  }
  return { model, worst };
}
