import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { batches, checkDataset, type Dataset, type Examples, fitToModel, sliceDataset } from '../../src/data/index.ts';

const array = (...shape: number[]): Examples => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
});
const made = (inputs: Record<string, Examples>, more: Partial<Dataset> = {}): Dataset => ({
  name: 'made',
  task: 'classify',
  count: Object.values(inputs)[0]?.shape[0] ?? 0,
  inputs,
  ...more,
});
const model = smallModel(1, cellChoices.lstm!, { features: 5, units: 4 });

describe('fitting to a model', () => {
  it('gives a single array the name of the input, and leaves a named one', () => {
    for (const name of ['x', 'anything']) {
      const { inputs } = fitToModel(made({ [name]: array(3, 7, 5) }), model);
      expect(Object.keys(inputs)).toEqual(['x']);
      expect(inputs.x!.shape).toEqual([3, 7, 5]);
    }
  });

  it('takes the array with the name of the input out of several', () => {
    const { inputs } = fitToModel(made({ other: array(3, 2), x: array(3, 7, 5) }), model);
    expect(Object.keys(inputs)).toEqual(['x']);
  });

  const refusals: [string, Record<string, Examples>, string][] = [
    ['too few features', { x: array(3, 7, 4) }, '[3, time, 5]'],
    ['no time', { x: array(3, 5) }, '[3, 5]'],
    ['a dimension too many', { x: array(3, 7, 5, 1) }, '[3, 7, 5, 1]'],
    ['several arrays, none of the name', { a: array(3, 7, 5), b: array(3, 7, 5) }, 'a, b'],
  ];
  it.each(refusals)('refuses %s', (_, inputs, text) => {
    expect(() => fitToModel(made(inputs), model)).toThrow(
      expect.objectContaining({ code: 'DATA_INVALID', message: expect.stringContaining(text) }),
    );
  });
});

it('needs sequences of the length that the model has, where it has one', () => {
  const graph = model.graphs.main!;
  const inputs = graph.inputs.map((port) => ({ ...port, shape: ['batch' as const, 3, 5] }));
  const fixed = { ...model, graphs: { main: { ...graph, inputs } } };
  const ragged = (lengths: number[]) =>
    made({
      x: {
        ...array(
          lengths.reduce((a, b) => a + b, 0),
          1,
          5,
        ),
        shape: [lengths.length, 3, 5],
        lengths,
      },
    });
  expect(fitToModel(ragged([3, 3]), fixed).inputs.x!.lengths).toEqual([3, 3]);
  expect(fitToModel(ragged([3, 2]), model).inputs.x!.lengths).toEqual([3, 2]);
  expect(() => fitToModel(ragged([3, 2]), fixed)).toThrow(
    expect.objectContaining({ code: 'DATA_INVALID', message: expect.stringContaining('example 2') }),
  );
});

describe('checking', () => {
  const refusals: [string, Dataset][] = [
    ['no inputs', made({}, { count: 3 })],
    ['a shape that is not the length', made({ x: { shape: [2, 2], data: new Float32Array(3) } })],
    ['NaN', made({ x: { shape: [1, 1], data: Float32Array.of(Number.NaN) } })],
    ['a label that is not whole', made({ x: array(1, 1) }, { targets: { shape: [1], data: Float32Array.of(0.25) } })],
    ['too few targets', made({ x: array(2, 1) }, { targets: array(1) })],
  ];
  it.each(refusals)('refuses %s', (_, dataset) => {
    expect(() => checkDataset(dataset)).toThrow(expect.objectContaining({ code: 'DATA_INVALID' }));
  });

  it('lets values of a regression be any', () => {
    const dataset = made(
      { x: array(1, 1) },
      { task: 'regress', targets: { shape: [1], data: Float32Array.of(-0.25) } },
    );
    expect(checkDataset(dataset)).toBe(dataset);
  });
});

it('goes through all examples in order, without copies', () => {
  const dataset = made({ x: array(5, 2), z: array(5, 1) });
  const parts = [...batches(dataset, 2)];
  expect(parts.map(({ from, batch }) => [from, batch])).toEqual([
    [0, 2],
    [2, 2],
    [4, 1],
  ]);
  expect(parts.flatMap(({ inputs }) => [...inputs.x!])).toEqual([...dataset.inputs.x!.data]);
  expect(parts[2]!.inputs.z!.buffer).toBe(dataset.inputs.z!.data.buffer);
});

it('cuts examples out with their targets', () => {
  const { count, inputs, targets } = sliceDataset(made({ x: array(5, 2) }, { targets: array(5) }), 1, 3);
  expect(count).toBe(2);
  expect(inputs.x).toEqual({ shape: [2, 2], data: Float32Array.of(2, 3, 4, 5) });
  expect(targets).toEqual({ shape: [2], data: Float32Array.of(1, 2) });
});
