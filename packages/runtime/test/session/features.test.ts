import { denseWeight, type Graph, type Model, Session } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { enginesHere } from '../support/engines.ts';

type Attributes = Graph['nodes'][number]['attributes'];

/** [batch, time, 6] → one op of the features. */
function model(op: string, attributes: Attributes): Model {
  const node = { name: 'node', op, inputs: { x: 'x' }, outputs: { y: 'y' }, attributes, weights: {} };
  const graph: Graph = {
    inputs: [{ name: 'x', shape: ['batch', 'time', 6], dtype: 'float32' }],
    outputs: [{ name: 'y', value: 'y' }],
    nodes: [node],
    states: [],
  };
  return { name: 'features', graphs: { main: graph }, weights: {}, metadata: {} };
}

const x = Float32Array.from({ length: 2 * 3 * 6 }, (_, i) => Math.fround(Math.sin(i * 1.3)));
const rows = Array.from({ length: 6 }, (_, r) => [...x.subarray(r * 6, r * 6 + 6)]);
const mean = (values: number[]) => Math.fround(values.reduce((a, b) => Math.fround(a + b), 0) / values.length);

const cases: [string, Attributes, (row: number[]) => number[]][] = [
  ['view', { sizes: [3, 2], strides: [1, 3] }, (r) => [r[0]!, r[3]!, r[1]!, r[4]!, r[2]!, r[5]!]],
  ['view', { offset: 5, sizes: [6], strides: [-1] }, (r) => [...r].reverse()],
  ['view', { offset: 1, sizes: [2, 4], strides: [2, 0] }, (r) => [1, 1, 1, 1, 3, 3, 3, 3].map((i) => r[i]!)],
  ['reduceFeatures', { function: 'mean' }, (r) => [mean(r)]],
  ['reduceFeatures', { function: 'max', size: 3 }, (r) => [0, 1].map((i) => Math.max(r[i]!, r[i + 2]!, r[i + 4]!))],
  ['reduceFeatures', { function: 'mean', size: 2 }, (r) => [0, 1, 2].map((i) => mean([r[i]!, r[i + 3]!]))],
];

describe.each(enginesHere())('features on $name', (engine) => {
  it.each(cases)('%s %j', (op, attributes, expected) => {
    const { data } = new Session(model(op, attributes), { engine }).run(x, { batch: 2 }).y!;
    expect([...data]).toEqual(rows.flatMap(expected));
  });

  it('a constant has a row for each batch element', () => {
    const value = denseWeight([3], Float32Array.of(1, -2, 0.5));
    const [node] = model('constant', {}).graphs.main!.nodes;
    const base = model('view', { sizes: [1], strides: [1] });
    const graph: Graph = {
      ...base.graphs.main!,
      nodes: [
        ...base.graphs.main!.nodes,
        { ...node!, name: 'constant', inputs: {}, outputs: { y: 'c' }, weights: { value: 'v' } },
      ],
      outputs: [...base.graphs.main!.outputs, { name: 'c', value: 'c' }],
    };
    const out = new Session({ ...base, graphs: { main: graph }, weights: { v: value } }, { engine }).run(x, {
      batch: 2,
    });
    expect([...out.c!.data]).toEqual([1, -2, 0.5, 1, -2, 0.5]);
    expect(out.c!.shape).toEqual([2, 3]);
  });
});

const refused: [string, Attributes, string][] = [
  ['view', { sizes: [7], strides: [1] }, 'MODEL_SHAPE'],
  ['view', { offset: 2, sizes: [4], strides: [-1] }, 'MODEL_SHAPE'],
  ['view', { sizes: [2], strides: [1, 1] }, 'MODEL_INVALID'],
  ['view', { sizes: [0], strides: [1] }, 'MODEL_INVALID'],
  ['view', { sizes: [1 << 20, 1 << 20], strides: [0, 0] }, 'MODEL_INVALID'],
  ['reduceFeatures', { function: 'mean', size: 4 }, 'MODEL_SHAPE'],
  ['reduceFeatures', { function: 'sum' }, 'MODEL_INVALID'],
];

it.each(refused)('refuses %s %j: %s', (op, attributes, code) => {
  expect(() => new Session(model(op, attributes), { engine: enginesHere()[0]! })).toThrow(code);
});
