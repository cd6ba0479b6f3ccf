import { readFileSync } from 'node:fs';
import { type AttributeValue, decode, denseWeight, type Model, type Node, type Port } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/index.ts';
import { readNpz, toFloat32 } from '../../src/data/npz.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';
import { type TrainOptions, train } from '../../src/train/index.ts';

// The real PyTorch trained these (interop/make_training_fixtures.py): same weights and batches must give the same losses.

type Fixture = Map<string, { shape: readonly number[]; data: Float32Array }>;

function fixture(name: string): Fixture {
  const bytes = readFileSync(new URL(`../../../../fixtures/training/${name}.npz`, import.meta.url));
  const arrays = readNpz(new Uint8Array(bytes));
  return new Map([...arrays].map(([key, { shape, data }]) => [key, { shape, data: toFloat32(data) }]));
}

/** A chain or, with two directions, a ladder of recurrent layers over the fixture's weights, then a dense layer. */
function modelOf(arrays: Fixture, cell: string, layers: number, answer: 'last' | 'each'): Model {
  const nodes: Node[] = [];
  const node = (
    op: string,
    name: string,
    inputs: Record<string, string>,
    attributes: Record<string, AttributeValue> = {},
  ) => {
    const own = [...arrays.keys()].filter((key) => key.startsWith(`w/${name}/`));
    const weights = Object.fromEntries(own.map((key) => [key.split('/')[2]!, key]));
    nodes.push({ name, op, inputs, outputs: { y: name }, attributes, weights });
    return name;
  };
  const units = (name: string) => arrays.get(`w/${name}/U`)!.shape[1]!;
  const direct = (name: string, x: string, direction: string) =>
    node(
      'recurrent',
      name,
      { x },
      { cell, units: units(name), direction, ...(cell === 'gru' ? { resetAfter: true } : {}) },
    );
  let value = 'x';
  if (arrays.has('w/embedding/table')) value = node('embedding', 'embedding', { x: value });
  for (let i = 0; i < layers; i++) {
    const x = value;
    value = direct(`rnn${i}`, x, 'forward');
    if (arrays.has(`w/back${i}/U`)) {
      value = node('concat', `concat${i}`, { 0: value, 1: direct(`back${i}`, x, 'backward') });
    }
  }
  if (answer === 'last') value = node('last', 'last', { x: value });
  if (arrays.has('w/statistics/scale')) {
    value = node('scaleShift', 'statistics', { x: value }, { epsilon: 1e-5 });
    value = node('scaleShift', 'norm', { x: value });
  }
  value = node('softmax', 'softmax', { x: node('dense', 'dense', { x: value }) });
  const port: Port = arrays.has('w/embedding/table')
    ? { name: 'x', shape: ['batch', 'time'], dtype: 'int32' }
    : { name: 'x', shape: ['batch', 'time', arrays.get('x')!.shape[2]!], dtype: 'float32' };
  return {
    name: 'fixture',
    graphs: { main: { inputs: [port], outputs: [{ name: 'y', value }], nodes, states: [] } },
    weights: Object.fromEntries(
      [...arrays]
        .filter(([key]) => key.startsWith('w/'))
        .map(([key, { shape, data }]) => [key, denseWeight(shape, data)]),
    ),
    metadata: {},
  };
}

const adam = { optimizer: { name: 'adam', rate: 0.01 } } as const;
const cases: { name: string; cell: string; layers: number; options: Omit<TrainOptions, 'epochs'> }[] = [
  { name: 'lstm', cell: 'lstm', layers: 1, options: adam },
  { name: 'gru', cell: 'gru', layers: 1, options: adam },
  { name: 'stacked-bidirectional', cell: 'lstm', layers: 2, options: adam },
  {
    name: 'lstm-sgd',
    cell: 'lstm',
    layers: 1,
    options: { optimizer: { name: 'sgd', rate: 0.5, momentum: 0.9, nesterov: true, decay: 1e-3, clipNorm: 0.25 } },
  },
  { name: 'batch-norm', cell: 'gru', layers: 1, options: adam },
  { name: 'language', cell: 'lstm', layers: 1, options: { ...adam, batch: 2, window: 10 } },
];

describe('the losses of 50 steps are those of PyTorch', () => {
  for (const Backend of [Float64Backend, WasmBackend]) {
    it.each(cases)(`$name (${Backend.name})`, async ({ name, cell, layers, options }) => {
      const arrays = fixture(name);
      const [x, y] = [arrays.get('x')!, arrays.get('y')!];
      const language = name === 'language';
      const dataset: Dataset = language
        ? {
            ...{ name, task: 'language', count: 1 },
            inputs: { x: { shape: [1, x.data.length], data: x.data } },
            targets: { shape: [1, y.data.length], data: y.data },
          }
        : { name, task: 'classify', count: x.shape[0]!, inputs: { x }, targets: y };
      const losses: number[] = [];
      const { model } = await train(modelOf(arrays, cell, layers, language ? 'each' : 'last'), dataset, {
        ...{ epochs: language ? 1 : 50, backend: new Backend(), batch: dataset.count },
        ...options,
        onEvent: (event) => {
          if (event.kind === 'step') losses.push(event.loss);
        },
      });
      const wanted = arrays.get('losses')!.data;
      expect(losses).toHaveLength(wanted.length);
      const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - wanted[i]!)));
      expect(worst).toBeLessThan(1e-4);
      if (arrays.has('mean')) {
        const [scale, shift] = ['scale', 'shift'].map((role) => decode(model.weights[`w/statistics/${role}`]!));
        arrays.get('mean')!.data.forEach((mean, i) => {
          expect(-shift![i]! / scale![i]!).toBeCloseTo(mean, 4);
          expect(scale![i]! ** -2 - 1e-5).toBeCloseTo(arrays.get('variance')!.data[i]!, 4);
        });
      }
      expect(losses.at(-1)!).toBeLessThan(language ? losses[0]! + 0.2 : losses[0]! / 2);
    });
  }
});
