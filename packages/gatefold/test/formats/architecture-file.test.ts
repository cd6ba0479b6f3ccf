import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Model, writeSafetensors } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { architectureTemplate, readModel } from '../../src/formats/index.ts';

/** A state dict of small seeded numbers, keys in the order given. */
function stateOf(shapes: Readonly<Record<string, number[]>>): Uint8Array {
  const tensors = Object.entries(shapes).map(([key, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: size }, (_, i) => 0.5 + 0.4 * Math.sin(i * 1.3 + key.length));
    return [key, { type: 'F32', shape, bytes: new Uint8Array(data.buffer) }] as const;
  });
  return writeSafetensors({ metadata: {}, tensors: new Map(tensors) });
}

const lstm = (path: string, inputs: number, units: number) => ({
  [`${path}.weight_ih_l0`]: [4 * units, inputs],
  [`${path}.weight_hh_l0`]: [4 * units, units],
  [`${path}.bias_ih_l0`]: [4 * units],
  [`${path}.bias_hh_l0`]: [4 * units],
});
const linear = (path: string, inputs: number, outputs: number) => ({
  [`${path}.weight`]: [outputs, inputs],
  [`${path}.bias`]: [outputs],
});
const opsOf = ({ graphs }: Model) => graphs.main!.nodes.map(({ op }) => op);

it('the example of the documentation is read', async () => {
  const path = fileURLToPath(new URL('../../../../docs/weights.md', import.meta.url));
  const architecture = /```yaml\n([\s\S]*?)```/.exec(readFileSync(path, 'utf8'))![1]!;
  const bytes = stateOf({
    'front.weight': [8, 12, 3],
    'front.bias': [8],
    'norm.weight': [8],
    'norm.bias': [8],
    'norm.running_mean': [8],
    'norm.running_var': [8],
    ...lstm('encoder.lstm', 8, 5),
    ...linear('head.0', 10, 2),
    'criterion.weight': [2],
  });
  const { model } = await readModel(bytes, { architecture });
  expect(opsOf(model)).toEqual(['conv1d', 'scaleShift', 'unary', 'recurrent', 'reduceTime', 'concat', 'dense']);
  expect(model.graphs.main!.outputs.map(({ name }) => name)).toEqual(['head.0']);
});

describe('without an architecture', () => {
  const read = async (shapes: Record<string, number[]>) => (await readModel(stateOf(shapes))).model;

  it('puts keys that are sorted by name in the order of their shapes', async () => {
    const model = await read({
      'fc.bias': [2],
      'fc.weight': [2, 7],
      'lstm1.weight_hh_l0': [20, 5],
      'lstm1.weight_ih_l0': [20, 3],
      'lstm2.weight_hh_l0': [28, 7],
      'lstm2.weight_ih_l0': [28, 5],
    });
    expect(model.graphs.main!.nodes.map(({ name }) => name)).toEqual(['lstm1', 'lstm2', 'last', 'fc']);
  });

  it.each<[string, Record<string, number[]>, RegExp]>([
    [
      'sorted keys of equal widths',
      { 'a.weight_hh_l0': [16, 4], 'a.weight_ih_l0': [16, 4], 'b.weight_hh_l0': [16, 4], 'b.weight_ih_l0': [16, 4] },
      /sorted by name, and shapes do not tell one order/,
    ],
    ['widths that do not chain', { ...lstm('lstm', 3, 4), ...linear('fc', 5, 2) }, /fc takes 5 features, lstm gives 4/],
    ['two heads', { ...lstm('lstm', 3, 4), ...linear('pi', 4, 2), ...linear('value', 4, 1) }, /value takes 4 features/],
    [
      'an attention',
      { ...lstm('lstm', 3, 4), ...linear('attn', 4, 1), ...linear('fc', 4, 2) },
      /attn and fc \(relu\?\)/,
    ],
    ['a linear layer before the LSTM', { ...linear('proj', 3, 4), ...lstm('lstm', 4, 4) }, /proj and lstm \(relu\?\)/],
    ['a decoder', { ...lstm('encoder', 3, 4), ...lstm('decoder', 4, 4) }, /how a decoder is fed/],
    ['no recurrent layer', linear('fc', 3, 4), /no recurrent layer/],
    ['five gates', { 'x.weight_ih_l0': [20, 3], 'x.weight_hh_l0': [20, 4] }, /of no LSTM, GRU or RNN/],
    [
      'weight normalization',
      { ...lstm('lstm', 3, 4), 'fc.weight_g': [2, 1], 'fc.weight_v': [2, 4] },
      /weight_g, weight_v/,
    ],
  ])('%s are asked about', async (_, shapes, question) => {
    const reading = read(shapes);
    await expect(reading).rejects.toMatchObject({ code: 'MODEL_NO_ARCHITECTURE' });
    await expect(reading).rejects.toThrow(question);
    // The template names the same question, and is YAML of the schema.
    expect(architectureTemplate(stateOf(shapes))).toMatch(question);
  });

  it('assumes tanh for one gate, and says so', async () => {
    const model = await read({ weight_ih_l0: [4, 3], weight_hh_l0: [4, 4] });
    expect(model.origin!.assumptions).toEqual([expect.stringContaining('a plain RNN with tanh is assumed (not relu)')]);
  });

  it('lets a language model speak at every step, anything else at its last', async () => {
    const body = { 'emb.weight': [9, 4], ...lstm('lstm', 4, 4) };
    expect(opsOf(await read({ ...body, ...linear('out', 4, 9) }))).not.toContain('last');
    expect(opsOf(await read({ ...body, ...linear('out', 4, 8) }))).toContain('last');
  });
});
