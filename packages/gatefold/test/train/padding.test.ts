import { type AttributeValue, createSession, denseWeight, type Model, type Node, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, modelOf, recurrentNode } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import type { Dataset, Task } from '../../src/data/index.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import type { Backend } from '../../src/train/backend/types.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';
import { batchSource, type TrainBatch } from '../../src/train/batches.ts';
import { modelFor, train } from '../../src/train/index.ts';
import { Replica } from '../../src/train/replica.ts';

const lengths = [5, 9, 3, 9, 6];
const features = 4;
const total = lengths.reduce((a, b) => a + b);

/** Sequences of different lengths with targets for the model: as many rows as the runtime gives for each. */
function dataFor(task: Task, model?: Model, name = 'x'): Dataset {
  const random = randomSource(17);
  const x = { shape: [lengths.length, 9, features], data: randomValues(random, total * features), lengths };
  // Steps of zeros, for masks.
  for (const at of [2, 6, 7, 15]) x.data.fill(0, at * features, (at + 1) * features);
  const count = lengths.length;
  const labels = (n: number) => Float32Array.from({ length: n }, () => Math.floor(3 * random()));
  const given = { name: 'ragged', task, count, inputs: { [name]: x } };
  if (task === 'classify') return { ...given, targets: { shape: [count], data: labels(count) } };
  if (task === 'label') return { ...given, targets: { shape: [count, 9], data: labels(total), lengths } };
  if (task === 'transcribe') {
    return { ...given, targets: { shape: [count, 3], data: labels(8), lengths: [2, 3, 1, 0, 2] } };
  }
  const session = createSession(model!);
  let from = 0;
  const shapes = lengths.map((steps) => {
    const part = x.data.subarray(from, from + steps * features);
    from += part.length;
    return session.run({ [name]: part }, { batch: 1 }).y!.shape;
  });
  const width = shapes[0]!.at(-1)!;
  const rows = shapes.map((shape) => (shape.length > 2 ? shape[1]! : 1));
  const data = randomValues(random, rows.reduce((a, b) => a + b) * width);
  const timed = shapes[0]!.length > 2;
  const shape = timed ? [count, Math.max(...rows), width] : [count, width];
  return { ...given, targets: { shape, data, ...(timed ? { lengths: rows } : {}) } };
}

interface Draft {
  readonly nodes: Node[];
  readonly weights: Record<string, Weight>;
  readonly random: () => number;
}

function node(
  { nodes, weights, random }: Draft,
  name: string,
  op: string,
  inputs: Readonly<Record<string, string>>,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  shapes: Readonly<Record<string, readonly number[]>> = {},
): string {
  const named: Record<string, string> = {};
  for (const [role, shape] of Object.entries(shapes)) {
    named[role] = `${name}.${role}`;
    weights[named[role]] = denseWeight(
      shape,
      randomValues(
        random,
        shape.reduce((a, b) => a * b),
        0.7,
      ),
    );
  }
  nodes.push({ name, op, inputs, outputs: { y: name }, attributes, weights: named });
  return name;
}

/** x through a dense layer, then what the draft adds. */
function built(build: (draft: Draft) => string): Model {
  const draft: Draft = { nodes: [], weights: {}, random: randomSource(7) };
  node(draft, 'before', 'dense', { x: 'x' }, {}, { kernel: [features, features], bias: [features] });
  const value = build(draft);
  return modelOf('case', draft.weights, {
    inputs: [{ name: 'x', shape: ['batch', 'time', features], dtype: 'float32' }],
    outputs: [{ name: 'y', value }],
    nodes: draft.nodes,
    states: [],
  });
}

function cell(
  choice: string,
  attributes: Record<string, AttributeValue> = {},
  { masked = false, shows = false, units = 8 } = {},
): Model {
  return built((draft) => {
    const made = recurrentNode(draft.random, draft.weights, 'cell', cellChoices[choice]!, features, units);
    const mask = masked ? { mask: node(draft, 'mask', 'mask', { x: 'x' }, { value: 0 }) } : {};
    const outputs = shows ? { y: 'cell.y', h: 'h', ...(choice.startsWith('lstm') ? { c: 'c' } : {}) } : { y: 'cell.y' };
    draft.nodes.push({
      ...made,
      inputs: { x: 'before', ...mask },
      outputs,
      attributes: { ...made.attributes, ...attributes },
    });
    if (!shows) return 'cell.y';
    return node(draft, 'states', 'concat', { 0: 'h', ...(choice.startsWith('lstm') ? { 1: 'c' } : {}) });
  });
}

const one =
  (op: string, attributes: Record<string, AttributeValue> = {}, shapes: Record<string, readonly number[]> = {}) =>
  (draft: Draft) =>
    node(draft, 'node', op, { x: 'before' }, attributes, shapes);
const overMask = (op: string, attributes: Record<string, AttributeValue>) => (draft: Draft) =>
  node(draft, 'node', op, { x: 'before', mask: node(draft, 'mask', 'mask', { x: 'x' }, { value: 0 }) }, attributes);
const reversed = { direction: 'backward' };

const nodes: Record<string, Model> = {
  ...Object.fromEntries(
    ['lstm', 'lstmProjected', 'gruAfter', 'gruBefore', 'rnn'].flatMap((choice) => [
      [choice, cell(choice)],
      [`${choice}, odd units`, cell(choice, {}, { units: 5 })],
      [`${choice} backward`, cell(choice, reversed)],
      [`${choice} masked by the model`, cell(choice, {}, { masked: true })],
      [`${choice} backward, masked by the model`, cell(choice, reversed, { masked: true })],
      [`final states of ${choice}`, cell(choice, {}, { shows: true })],
      [`final states of ${choice} backward`, cell(choice, reversed, { shows: true })],
      [`final states of ${choice}, masked by the model`, cell(choice, {}, { shows: true, masked: true })],
    ]),
  ),
  'zeros where masked': cell('lstm', { zeroOutputForMask: true, ...reversed }, { masked: true }),
  last: built(one('last')),
  reverse: built(one('reverse')),
  'pad wider': built(one('pad', { left: 2, right: 1 })),
  'pad narrower': built(one('pad', { left: -1, right: -1 })),
  repeat: built(one('repeat', { times: 2 })),
  'conv1d on both sides': built(one('conv1d', { size: 3, padding: [1, 1] }, { kernel: [5, 3 * features], bias: [5] })),
  'conv1d strided': built(
    one('conv1d', { size: 2, stride: 2, dilation: 2, padding: [1, 1] }, { kernel: [5, 2 * features] }),
  ),
  'pool max': built(one('pool', { function: 'max', size: 3, stride: 2, padding: [1, 1] })),
  'pool mean': built(one('pool', { function: 'mean', size: 3, stride: 2, padding: [1, 1] })),
  ...Object.fromEntries(
    ['max', 'mean', 'sum'].map((name) => [`reduceTime ${name}`, built(one('reduceTime', { function: name }))]),
  ),
  'reduceTime mean, masked by the model': built(overMask('reduceTime', { function: 'mean' })),
  applyMask: built(overMask('applyMask', {})),
  'logarithms of what padding must not spoil': built((draft) => {
    node(draft, 'square', 'unary', { x: 'before' }, { function: ['square'] });
    return node(draft, 'log', 'unary', { x: 'square' }, { function: ['log'] });
  }),
  'both directions, joined': built((draft) => {
    const forward = recurrentNode(draft.random, draft.weights, 'f', cellChoices.gruAfter!, features, 4);
    const back = recurrentNode(draft.random, draft.weights, 'b', cellChoices.gruAfter!, features, 4);
    draft.nodes.push({ ...forward, inputs: { x: 'before' } });
    draft.nodes.push({ ...back, inputs: { x: 'before' }, attributes: { ...back.attributes, ...reversed } });
    return node(draft, 'sum', 'binary', { a: 'f.y', b: 'b.y' }, { function: 'add' });
  }),
};

const lines = [
  'lstm:8 dense',
  'gru:8 dense',
  'rnn:6 dense',
  'bilstm:4 bigru:4 dense',
  'conv1d:5:3 bigru:8 layernorm dense',
];

const cases: [string, Model, Dataset][] = [
  ...Object.entries(nodes).map(([name, model]): [string, Model, Dataset] => [name, model, dataFor('regress', model)]),
  ...(['classify', 'label', 'transcribe'] as const).flatMap((task) =>
    lines.map((line): [string, Model, Dataset] => {
      const data = dataFor(task);
      return [`${task} by ${line}`, modelFor(line, data), data];
    }),
  ),
];

function run(backend: Backend, model: Model, data: Dataset, batches: Iterable<TrainBatch>) {
  const { task } = data;
  const replica = new Replica(backend, { model, task, seed: 1, loss: {}, dropout: 0, recurrentDropout: 0 });
  let loss = 0;
  const sums = new Map<string, Float64Array>();
  for (const batch of batches) {
    loss += replica.gradients(batch, 0, batch.batch / data.count);
    for (const { name, gradient } of replica.parameters.trained) {
      const values = backend.read(gradient);
      const sum = sums.get(name) ?? new Float64Array(values.length);
      values.forEach((value, i) => {
        sum[i]! += value;
      });
      sums.set(name, sum);
    }
  }
  return { loss, sums };
}

const epoch = (data: Dataset, batch: number) => [...batchSource(data, { batch, window: 64, seed: 3 }).epoch(0)];

describe('a padded batch is the mean of its sequences', () => {
  it.each(cases)('%s', (_, model, data) => {
    for (const [make, bound] of [
      [() => new Float64Backend(), 1e-12],
      [() => new WasmBackend(), 2e-5],
    ] as const) {
      const alone = run(make(), model, data, epoch(data, 1));
      const [whole, ...more] = epoch(data, lengths.length);
      expect(more).toEqual([]);
      expect([...whole!.lengths!.x!].sort()).toEqual([...lengths].sort());
      const padded = run(make(), model, data, [whole!]);
      expect(Math.abs(padded.loss - alone.loss)).toBeLessThan(bound * Math.max(1, alone.loss));
      for (const [name, wanted] of alone.sums) {
        const largest = Math.max(...wanted.map(Math.abs), 1e-2);
        const worst = Math.max(...wanted.map((value, i) => Math.abs(value - padded.sums.get(name)![i]!)));
        expect(worst, name).toBeLessThan(bound * largest);
        expect(Math.max(...wanted.map(Math.abs)), name).toBeGreaterThan(0);
      }
    }
  });

  it('also for soft targets of a teacher', () => {
    const data = dataFor('label');
    const [model, other] = ['gru:8 dense', 'rnn:6 dense'].map((line) => modelFor(line, data));
    const losses = [1, 5].map((batch) => {
      const backend = new Float64Backend();
      const teacher = { model: other!, share: 0.4, temperature: 2 };
      const base = { model: model!, task: data.task, seed: 1, loss: {}, dropout: 0, recurrentDropout: 0, teacher };
      const replica = new Replica(backend, base);
      return epoch(data, batch).reduce((sum, part) => sum + replica.gradients(part, 0, part.batch / data.count), 0);
    });
    expect(losses[0]).toBeCloseTo(losses[1]!, 12);
  });

  it('and refuses targets of other lengths, by what is wanted', async () => {
    const data = dataFor('label');
    const targets = { ...data.targets!, lengths: [9, 5, 3, 9, 6] };
    await expect(train(modelFor('gru:8 dense', data), { ...data, targets }, { epochs: 1 })).rejects.toThrow(
      /targets do not fit.*expected \d per example/s,
    );
  });
});

describe('batches of different lengths', () => {
  const random = randomSource(5);
  const many = Array.from({ length: 300 }, () => 1 + Math.floor(40 * random()));
  const sum = many.reduce((a, b) => a + b);
  const data: Dataset = {
    ...{ name: 'many', task: 'label', count: many.length },
    inputs: { x: { shape: [300, 40, 1], data: Float32Array.from({ length: sum }, (_, i) => i), lengths: many } },
    targets: { shape: [300, 40], data: Float32Array.from({ length: sum }, (_, i) => i), lengths: many },
  };

  it('hold every example once, in another order each epoch, with little padding', () => {
    const source = batchSource(data, { batch: 8, window: 64, seed: 1 });
    const epochs = [0, 1].map((number) => [...source.epoch(number)]);
    const firsts = epochs.map((batches) => {
      expect(batches).toHaveLength(source.perEpoch);
      const seen = batches.flatMap(({ inputs, lengths: own, batch, targets }) => {
        const { x } = inputs as { x: Float32Array };
        const steps = x.length / batch;
        expect(targets).toEqual(x);
        return Array.from({ length: batch }, (_, b) => {
          const length = own?.x?.[b] ?? steps;
          // Padding repeats the last step.
          for (let t = length; t < steps; t++) expect(x[b * steps + t]).toBe(x[b * steps + length - 1]);
          return [x[b * steps]!, length];
        });
      });
      const starts = many.map((length, i) => [many.slice(0, i).reduce((a, b) => a + b, 0), length]);
      expect([...seen].sort((a, b) => a[0]! - b[0]!)).toEqual(starts);
      const rows = batches.reduce((all, { inputs }) => all + inputs.x!.length, 0);
      expect(rows / sum).toBeLessThan(1.15);
      return seen;
    });
    expect(firsts[0]).not.toEqual(firsts[1]);
    expect([...source.epoch(1)]).toEqual(epochs[1]);
  });
});
