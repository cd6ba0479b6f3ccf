import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Model } from '@gatefold/runtime';
import { expect, it } from 'vitest';
import { removeChannels } from '../../../src/compress/prune/units/remove.ts';
import { readModel, rereadModel, writerFor } from '../../../src/formats/index.ts';
import { outputDifference, someChannels } from './support.ts';

const folder = fileURLToPath(new URL('../../../../../fixtures/', import.meta.url));

it.each([
  ['keras/k2-stacks.h5', 'h5'],
  ['keras/k3-stacks.keras', 'keras'],
  ['keras/k3-encoder-decoder.keras', 'h5'],
  ['keras/k3-bidirectional-merge.keras', 'keras'],
  ['charlm/charlm-lstm256.h5', 'onnx'],
  ['tflite/stack.tflite', 'tflite'],
  ['torch/module.pt', 'pt'],
  ['torch/module.pt', 'safetensors'],
  ['onnx/stacked-bidirectional.onnx', 'onnx'],
])('%s loses units and is written as .%s', async (name, extension) => {
  const { model } = await readModel(new Uint8Array(readFileSync(folder + name)));
  const { map, gone } = someChannels(model, 0.5, 4);
  const small = removeChannels(model, map, gone);
  const written = await writerFor(extension, '--to').write(small, {});
  const beside = async (path: string) => written.beside!.get(path)!;
  const stateDict = extension === 'pt' || extension === 'safetensors';
  const { model: back } = stateDict
    ? await rereadModel(written.bytes, small, { beside })
    : await readModel(written.bytes, { beside });
  // Writers name outputs as their format does: they are compared in order.
  const named = (m: Model): Model => {
    const graph = m.graphs.main!;
    const outputs = graph.outputs.map((port, i) => ({ ...port, name: `out${i}` }));
    return { ...m, graphs: { main: { ...graph, outputs } } };
  };
  expect(back.graphs.main!.outputs).toHaveLength(small.graphs.main!.outputs.length);
  expect(outputDifference(named(small), named(back))).toBeLessThan(1e-5);
});
