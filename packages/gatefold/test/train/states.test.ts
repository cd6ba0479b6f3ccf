import { readFileSync } from 'node:fs';
import {
  createSession,
  denseWeight,
  type Graph,
  type Model,
  type Node,
  sizeOf,
  validate,
  type Weight,
} from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { type CellChoice, cellChoices, modelOf, recurrentNode } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import type { Dataset } from '../../src/data/index.ts';
import { evaluate } from '../../src/evaluate/index.ts';
import { readModel } from '../../src/formats/index.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import type { TrainBatch } from '../../src/train/batches.ts';
import { train } from '../../src/train/index.ts';
import { Replica, type ReplicaSpec } from '../../src/train/replica.ts';
import { text } from '../support/tasks.ts';

// A model whose states come in and go out by ports must be trained as the same model that keeps them inside.

const features = 3;
const units = 4;
const x = { name: 'x', shape: ['batch', 'time', features], dtype: 'float32' } as const;

interface Twins {
  readonly inside: Model;
  readonly ports: Model;
}

const graphOf = (nodes: readonly Node[], value: string): Graph => ({
  ...{ inputs: [x], nodes, states: [] },
  outputs: [{ name: 'y', value }],
});

/** The cell of `node` with states by ports. */
function withPorts(graph: Graph, cell: Node, widths: Readonly<Record<string, number>>): Graph {
  const names = Object.keys(widths);
  const inputs = Object.fromEntries(names.map((name) => [name, `${cell.name}.${name}.in`]));
  const outputs = Object.fromEntries(names.map((name) => [name, `${cell.name}.${name}.out`]));
  const ports = names.map((name) => ({
    ...{ name: inputs[name]!, shape: ['batch', widths[name]!] as const, dtype: 'float32' as const },
  }));
  const open = { ...cell, inputs: { ...cell.inputs, ...inputs }, outputs: { ...cell.outputs, ...outputs } };
  return {
    inputs: [...graph.inputs, ...ports],
    nodes: graph.nodes.map((node) => (node === cell ? open : node)),
    outputs: [...graph.outputs, ...names.map((name) => ({ name: outputs[name]!, value: outputs[name]! }))],
    states: [...graph.states, ...names.map((name) => ({ input: inputs[name]!, output: outputs[name]! }))],
  };
}

/** A second layer keeps its state inside in both. */
function cellTwins(choice: CellChoice, after: (value: string) => Node[] = () => []): Twins {
  const random = randomSource(3);
  const weights: Record<string, Weight> = {};
  const first = { ...recurrentNode(random, weights, 'first', choice, features, units), inputs: { x: 'x' } };
  const width = choice.projection ?? units;
  const second = recurrentNode(random, weights, 'second', cellChoices.gruAfter!, width, units);
  const last = { ...second, inputs: { x: 'first.y' } };
  const nodes = [first, last, ...after('second.y')];
  const graph = graphOf(nodes, Object.values(nodes.at(-1)!.outputs)[0]!);
  const widths = { h: width, ...(choice.cell === 'lstm' ? { c: units } : {}) };
  return { inside: modelOf('m', weights, graph), ports: modelOf('m', weights, withPorts(graph, first, widths)) };
}

/** h' = tanh(W·x + b + U·h) of plain nodes, one step a call, and as a cell. */
function plainTwins(): Twins {
  const random = randomSource(4);
  const weight = (...shape: number[]) => denseWeight(shape, randomValues(random, sizeOf(shape), 0.8));
  const weights = { W: weight(units, features), U: weight(units, units), b: weight(units), V: weight(2, units) };
  const node = (op: string, name: string, inputs: Node['inputs'], used: Node['weights'], attributes = {}): Node => ({
    ...{ op, name, inputs, outputs: { y: name }, attributes, weights: used },
  });
  const output = (h: string) => node('dense', 'y', { x: h }, { kernel: 'V' });
  const cell = node('recurrent', 'cell', { x: 'x' }, { W: 'W', U: 'U', b: 'b' }, { cell: 'rnn', units });
  const ports: Graph = {
    inputs: [
      { ...x, shape: ['batch', features] },
      { name: 'h.in', shape: ['batch', units], dtype: 'float32' },
    ],
    nodes: [
      node('dense', 'in', { x: 'x' }, { kernel: 'W', bias: 'b' }),
      node('dense', 'back', { x: 'h.in' }, { kernel: 'U' }),
      node('binary', 'sum', { a: 'in', b: 'back' }, {}, { function: 'add' }),
      node('unary', 'h', { x: 'sum' }, {}, { function: ['tanh'] }),
      output('h'),
    ],
    outputs: [
      { name: 'y', value: 'y' },
      { name: 'h.out', value: 'h' },
    ],
    states: [{ input: 'h.in', output: 'h.out' }],
  };
  return { inside: modelOf('m', weights, graphOf([cell, output('cell')], 'y')), ports: modelOf('m', weights, ports) };
}

/** As an exporter writes a streaming model: h and c go in and out of the file. */
async function onnxTwins(): Promise<Twins> {
  const bytes = new Uint8Array(
    readFileSync(new URL('../../../../fixtures/onnx/states-sequence.onnx', import.meta.url)),
  );
  const [{ model: inside }, { model: open }] = [
    await readModel(bytes),
    await readModel(bytes, { explicitStates: true }),
  ];
  const states = inside.origin!.states as Graph['states'];
  return { inside, ports: { ...open, graphs: { main: { ...open.graphs.main!, states } } } };
}

const plain =
  (op: string, attributes: Node['attributes'] = {}) =>
  (value: string): Node[] => [
    { op, name: 'end', inputs: { x: value }, outputs: { y: 'end' }, attributes, weights: {} },
  ];

const twins: Record<string, Twins> = {
  ...Object.fromEntries(Object.entries(cellChoices).map(([name, choice]) => [name, cellTwins(choice)])),
  'one step a call': plainTwins(),
  'a file of ONNX': await onnxTwins(),
  'one answer': cellTwins(cellChoices.lstm!, plain('last')),
  'an answer that needs the whole chunk': cellTwins(cellChoices.lstm!, plain('reduceTime', { function: 'mean' })),
};

/** Losses and gradients of two windows, the second of which goes on from the first. */
function windows(model: Model, lengths?: readonly number[]) {
  const batch = 3;
  const steps = 5;
  const random = randomSource(8);
  const spec: ReplicaSpec = { model, task: 'regress', seed: 1, loss: {}, dropout: 0, recurrentDropout: 0 };
  const replica = new Replica(new Float64Backend(), spec);
  return [true, false].map((first) => {
    const { outputs, sequential } = createSession(model);
    const output = outputs[0]!;
    const timed = output.shape[1] === 'time' || !sequential;
    const targets = randomValues(random, batch * (timed ? steps : 1) * output.width);
    const made: TrainBatch = {
      ...{ batch, targets, carry: lengths === undefined, first },
      inputs: { x: randomValues(random, batch * steps * features) },
      ...(lengths ? { lengths: { x: lengths }, ...(timed ? { targetLengths: lengths } : {}) } : {}),
    };
    const loss = replica.gradients(made, 0);
    const { trained } = replica.parameters;
    return {
      loss,
      gradients: new Map(trained.map(({ name, gradient }) => [name, [...replica.backend.read(gradient)]])),
    };
  });
}

describe('states by ports', () => {
  const ragged = [undefined, [5, 2, 4]] as const;
  it.each(Object.keys(twins))('%s: loss and gradients of a state inside, window after window', (name) => {
    const { inside, ports } = twins[name]!;
    for (const lengths of ragged) {
      const expected = windows(validate(inside), lengths);
      windows(validate(ports), lengths).forEach(({ loss, gradients }, i) => {
        expect(Math.abs(loss - expected[i]!.loss)).toBeLessThan(1e-12);
        expect([...gradients.keys()].sort()).toEqual([...expected[i]!.gradients.keys()].sort());
        for (const [weight, values] of gradients) {
          const reference = expected[i]!.gradients.get(weight)!;
          const worst = Math.max(...values.map((value, k) => Math.abs(value - reference[k]!)));
          expect(worst, weight).toBeLessThan(1e-12);
          // What is equal because nothing arrives would prove nothing.
          if (i === 1)
            expect(
              values.some((value) => value !== 0),
              weight,
            ).toBe(true);
        }
      });
    }
  });

  it('learns a text as the model with the state inside does', async () => {
    const data = text(600);
    const random = randomSource(6);
    const weights: Record<string, Weight> = { table: denseWeight([5, features], randomValues(random, 15)) };
    const cell = { ...recurrentNode(random, weights, 'cell', cellChoices.lstm!, features, 8), inputs: { x: 'e' } };
    weights.V = denseWeight([5, 8], randomValues(random, 40, 0.3));
    const nodes: Node[] = [
      {
        op: 'embedding',
        name: 'e',
        inputs: { x: 'x' },
        outputs: { y: 'e' },
        attributes: {},
        weights: { table: 'table' },
      },
      cell,
      {
        op: 'dense',
        name: 'y',
        inputs: { x: 'cell.y' },
        outputs: { y: 'y' },
        attributes: {},
        weights: { kernel: 'V' },
      },
    ];
    const ids = { name: 'x', shape: ['batch', 'time'], dtype: 'int32' } as const;
    const graph = { ...graphOf(nodes, 'y'), inputs: [ids] };
    const losses = async (model: Model) => {
      const seen: number[] = [];
      const options = { epochs: 3, batch: 4, window: 16, optimizer: { name: 'adam', rate: 0.02 } as const };
      await train(model, data, {
        ...options,
        backend: new Float64Backend(),
        onEvent: (event) => event.kind === 'step' && seen.push(event.loss),
      });
      return seen;
    };
    const expected = await losses(modelOf('m', weights, graph));
    const found = await losses(modelOf('m', weights, withPorts(graph, cell, { h: 8, c: 8 })));
    expect(found).toHaveLength(expected.length);
    expect(Math.max(...found.map((loss, i) => Math.abs(loss - expected[i]!)))).toBeLessThan(1e-9);
    expect(found.at(-1)).toBeLessThan(0.8 * found[0]!);
  });

  it('one step a call: whole sequences are trained, validated and evaluated', async () => {
    const { inside, ports } = plainTwins();
    const random = randomSource(9);
    const data: Dataset = {
      ...{ name: 'd', task: 'regress', count: 8 },
      inputs: { x: { shape: [8, 6, features], data: randomValues(random, 8 * 6 * features) } },
      targets: { shape: [8, 6, 2], data: randomValues(random, 8 * 6 * 2) },
    };
    const [expected, found] = await Promise.all(
      [inside, ports].map(async (model) => {
        const validate = async (candidate: Model) => (await evaluate(candidate, data)).metrics.rmse!;
        const { model: made, bestValidation } = await train(model, data, { epochs: 5, batch: 4, validate });
        return [
          bestValidation!,
          (await evaluate(made, data)).metrics.rmse!,
          (await evaluate(model, data)).metrics.rmse!,
        ];
      }),
    );
    found!.forEach((value, i) => {
      expect(value).toBeCloseTo(expected![i]!, 5);
    });
    expect(found![1]).toBeLessThan(found![2]!);
  });

  it('refuses inputs of different lengths where a call is one step', () => {
    const { ports } = plainTwins();
    const { inputs, ...graph } = ports.graphs.main!;
    const nodes = graph.nodes.map((node) => (node.name === 'back' ? { ...node, inputs: { x: 'other' } } : node));
    const other = { name: 'other', shape: ['batch', units] as const, dtype: 'float32' as const };
    const model = validate({ ...ports, graphs: { main: { ...graph, nodes, inputs: [...inputs, other] } } });
    const spec: ReplicaSpec = { model, task: 'regress', seed: 1, loss: {}, dropout: 0, recurrentDropout: 0 };
    const given = { x: new Float32Array(5 * features), other: new Float32Array(3 * units) };
    const batch = { batch: 1, inputs: given, targets: new Float32Array(10), carry: false, first: true };
    expect(() => new Replica(new Float64Backend(), spec).gradients(batch, 0)).toThrow(/different numbers of steps/);
  });
});
