import { type AttributeValue, createSession, denseWeight, type Model, type Node, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { type CellChoice, cellChoices, modelOf, recurrentNode } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';
import { TrainGraph } from '../../src/train/graph.ts';
import { trainOps } from '../../src/train/ops/index.ts';
import { Parameters } from '../../src/train/parameters.ts';
import { type Case, lossAndGradients } from './gradients.ts';

const batch = 3;
const steps = 6;
const features = 4;

interface Draft {
  readonly nodes: Node[];
  readonly weights: Record<string, Weight>;
  readonly random: () => number;
}

/** x through a dense layer, the nodes of the draft, and a dense layer again: gradients go in and out of all of them. */
function caseOf(build: (draft: Draft) => string, fixedSteps = false): Case {
  const random = randomSource(7);
  const draft: Draft = { nodes: [], weights: {}, random };
  addNode(draft, 'before', 'dense', { x: 'x' }, {}, { kernel: [features, features] });
  const value = build(draft);
  const model: Model = modelOf('case', draft.weights, {
    inputs: [{ name: 'x', shape: ['batch', fixedSteps ? steps : 'time', features], dtype: 'float32' }],
    outputs: [{ name: 'y', value }],
    nodes: draft.nodes,
    states: [],
  });
  const x = randomValues(random, batch * steps * features);
  // Some steps are all zero: what a mask leaves out.
  x.fill(0, 2 * features, 3 * features);
  x.fill(0, (steps + 4) * features, (steps + 6) * features);
  return { model, batch, inputs: { x } };
}

function addNode(
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
    const size = shape.reduce((product, n) => product * n, 1);
    weights[named[role]] = denseWeight(shape, randomValues(random, size, 0.7));
  }
  nodes.push({ name, op, inputs, outputs: { y: name }, attributes, weights: named });
  return name;
}

function cellCase(choice: CellChoice, units: number, attributes: Record<string, AttributeValue> = {}, masked = false) {
  return caseOf((draft) => {
    const node = recurrentNode(draft.random, draft.weights, 'cell', choice, features, units);
    const inputs = masked
      ? { x: 'before', mask: addNode(draft, 'mask', 'mask', { x: 'x' }, { value: 0 }) }
      : { x: 'before' };
    draft.nodes.push({ ...node, inputs, attributes: { ...node.attributes, ...attributes } });
    const width = choice.projection ?? units;
    return addNode(draft, 'after', 'dense', { x: 'cell.y' }, {}, { kernel: [2, width], bias: [2] });
  });
}

const x = { x: 'before' };
const one =
  (op: string, attributes: Record<string, AttributeValue> = {}, shapes: Record<string, readonly number[]> = {}) =>
  (draft: Draft) =>
    addNode(draft, 'node', op, x, attributes, shapes);

/** Cases by name; the first word is the op. */
const cases: Record<string, Case> = {
  ...Object.fromEntries(
    Object.entries(cellChoices).flatMap(([name, choice]) => [
      [`recurrent ${name}`, cellCase(choice, 8)],
      [`recurrent ${name}, odd units`, cellCase(choice, 5)],
      [`recurrent ${name}, backward`, cellCase(choice, 8, { direction: 'backward' })],
      [`recurrent ${name}, masked`, cellCase(choice, 8, {}, true)],
    ]),
  ),
  'recurrent zeros where masked': cellCase(cellChoices.lstm!, 8, { zeroOutputForMask: true }, true),
  'recurrent rnn, linear': cellCase(cellChoices.rnn!, 8, { activation: ['linear'] }),
  'recurrent states in and out': caseOf((draft) => {
    const first = recurrentNode(draft.random, draft.weights, 'first', cellChoices.lstm!, features, 8);
    const second = recurrentNode(draft.random, draft.weights, 'second', cellChoices.lstm!, 8, 8);
    draft.nodes.push({ ...first, inputs: x, outputs: { y: 'first.y', h: 'h', c: 'c' } });
    draft.nodes.push({ ...second, inputs: { x: 'first.y', h: 'h', c: 'c' } });
    return addNode(draft, 'joined', 'concat', { 0: 'second.y', 1: 'first.y' });
  }),
  dense: caseOf(one('dense', {}, { kernel: [3, features], bias: [3] })),
  'conv1d causal': caseOf(one('conv1d', { size: 3, padding: [2, 0] }, { kernel: [5, 3 * features], bias: [5] })),
  'conv1d strided and dilated': caseOf(
    one('conv1d', { size: 2, stride: 2, dilation: 2, padding: [1, 1] }, { kernel: [5, 2 * features] }),
  ),
  'conv1d in groups': caseOf(one('conv1d', { size: 2, groups: 2 }, { kernel: [6, features], bias: [6] })),
  scaleShift: caseOf(one('scaleShift', {}, { scale: [features], shift: [features] })),
  'scaleShift by the statistics of the batch': {
    ...caseOf((draft) => {
      const x = one('scaleShift', { epsilon: 1e-3 }, { scale: [features], shift: [features] })(draft);
      return addNode(draft, 'after', 'dense', { x }, {}, { kernel: [3, features] });
    }),
    training: true,
  },
  constant: caseOf((draft) => {
    addNode(draft, 'start', 'constant', {}, {}, { value: [8] });
    const cell = recurrentNode(draft.random, draft.weights, 'cell', cellChoices.rnn!, features, 8);
    draft.nodes.push({ ...cell, inputs: { ...x, h: 'start' } });
    return 'cell.y';
  }),
  'view of runs': caseOf(one('view', { offset: 1, sizes: [2, 3], strides: [0, 1] })),
  'view backwards and with strides': caseOf(one('view', { offset: 3, sizes: [2, 2], strides: [-1, -2] })),
  'reduceFeatures max': caseOf(one('reduceFeatures', { function: 'max', size: 2 })),
  'reduceFeatures mean': caseOf(one('reduceFeatures', { function: 'mean' })),
  prelu: caseOf(one('prelu', {}, { slope: [features] })),
  softmax: caseOf(one('softmax')),
  'normalization layer': caseOf(
    one('normalization', { kind: 'layer', epsilon: 1e-3 }, { gamma: [features], beta: [features] }),
  ),
  'normalization rms': caseOf(one('normalization', { kind: 'rms', epsilon: 1e-3 }, { gamma: [features] })),
  'normalization unit': caseOf(one('normalization', { kind: 'unit', epsilon: 1e-3 })),
  'applyMask of mask': caseOf((draft) => {
    const mask = addNode(draft, 'mask', 'mask', { x: 'x' }, { value: 0 });
    return addNode(draft, 'node', 'applyMask', { x: 'before', mask });
  }),
  last: caseOf(one('last')),
  reverse: caseOf(one('reverse')),
  'pad wider': caseOf(one('pad', { left: 2, right: 1 })),
  'pad narrower': caseOf(one('pad', { left: -1, right: -2 })),
  'repeat steps': caseOf(one('repeat', { times: 2 })),
  'repeat one vector': caseOf((draft) => addNode(draft, 'again', 'repeat', { x: one('last')(draft) }, { times: 3 })),
  'pool max': caseOf(one('pool', { function: 'max', size: 3, stride: 2, padding: [1, 1] })),
  'pool mean': caseOf(one('pool', { function: 'mean', size: 3, stride: 2, padding: [1, 1] })),
  'reduceTime max': caseOf(one('reduceTime', { function: 'max' })),
  'reduceTime mean': caseOf(one('reduceTime', { function: 'mean' })),
  'reduceTime sum, masked': caseOf((draft) => {
    const mask = addNode(draft, 'mask', 'mask', { x: 'x' }, { value: 0 });
    return addNode(draft, 'node', 'reduceTime', { x: 'before', mask }, { function: 'sum' });
  }),
  'reduceTime mean, masked': caseOf((draft) => {
    const mask = addNode(draft, 'mask', 'mask', { x: 'x' }, { value: 0 });
    return addNode(draft, 'node', 'reduceTime', { x: 'before', mask }, { function: 'mean' });
  }),
  slice: caseOf(one('slice', { from: 1, to: 3 })),
  concat: caseOf((draft) => addNode(draft, 'node', 'concat', { 0: 'before', 1: 'x', 2: 'before' })),
  'reshape joins steps': caseOf(one('reshape', { shape: [steps * features] }), true),
  'reshape to other steps': caseOf(one('reshape', { shape: [3, (steps * features) / 3], time: true }), true),
  transpose: caseOf(one('transpose'), true),
  'embedding twice': {
    ...caseOf((draft) => {
      draft.nodes.pop();
      delete draft.weights['before.kernel'];
      return addNode(draft, 'node', 'embedding', { x: 'x' }, {}, { table: [5, 3] });
    }),
    inputs: { x: Float32Array.from({ length: batch * steps }, (_, i) => (i * 7) % 5) },
  },
  ...Object.fromEntries(
    ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum'].map((name) => [
      `binary ${name}`,
      caseOf((draft) => {
        addNode(draft, 'left', 'dense', x, {}, { kernel: [3, features], bias: [3] });
        addNode(draft, 'right', 'dense', x, {}, { kernel: [3, features], bias: [3] });
        // A denominator well away from zero.
        addNode(draft, 'away', 'unary', { x: 'right' }, { function: ['affine', 0.1, 2] });
        return addNode(
          draft,
          'node',
          'binary',
          { a: 'left', b: name === 'divide' ? 'away' : 'right' },
          { function: name },
        );
      }),
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ...['tanh', 'sigmoid', 'hardSigmoid', 'relu', 'elu', 'selu', 'softplus', 'softsign', 'exp', 'swish', 'gelu'],
        ...['geluTanh', 'mish', 'hardSwish', 'abs', 'negate', 'square', 'oneMinus', 'affine', 'celu', 'erf'],
      ] as const
    ).map((name) => [`unary ${name}`, caseOf(one('unary', { function: [name] }))]),
  ),
  'unary clip': caseOf(one('unary', { function: ['clip', -0.3, 0.4] })),
  'unary relu, leaky and bounded': caseOf(one('unary', { function: ['relu', 0.1, 0.5, 0] })),
  ...Object.fromEntries(
    ['log', 'sqrt', 'reciprocal'].map((name) => [
      `unary ${name}`,
      caseOf((draft) => {
        addNode(draft, 'square', 'unary', x, { function: ['square'] });
        addNode(draft, 'positive', 'unary', { x: 'square' }, { function: ['affine', 1, 0.5] });
        return addNode(draft, 'node', 'unary', { x: 'positive' }, { function: [name] });
      }),
    ]),
  ),
};
// The ids of an embedding have no features.
const { model: embeds } = cases['embedding twice']!;
const ids = { name: 'x', shape: ['batch', 'time'] as const, dtype: 'int32' as const };
cases['embedding twice'] = {
  ...cases['embedding twice']!,
  model: { ...embeds, graphs: { main: { ...embeds.graphs.main!, inputs: [ids] } } },
};

/** [batch, steps, width] → [steps, batch, width] */
function timeFirst(data: Float32Array, batch: number, steps: number): Float32Array {
  const width = data.length / (batch * steps);
  return data.map((_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return data[((row % batch) * steps + Math.floor(row / batch)) * width + column]!;
  });
}

describe('gradients', () => {
  it('are tested for every op that can be trained', () => {
    const tested = new Set(Object.keys(cases).map((name) => name.split(' ')[0]!));
    expect([...trainOps.keys()].filter((op) => !tested.has(op) && op !== 'mask')).toEqual([]);
  });

  it.each(Object.entries(cases))('%s: computes what the runtime computes', (_, { model, inputs }) => {
    const backend = new WasmBackend();
    const { output } = new TrainGraph(model).forward(backend, new Parameters(backend, model), inputs, { batch });
    const wanted = createSession(model).run(inputs, { batch }).y!;
    const rows = timeFirst(wanted.data, batch, output.steps);
    const found = backend.read(output.v.value);
    expect(found.length).toBe(rows.length);
    const worst = Math.max(
      ...Array.from(rows, (value, i) => Math.abs(value - found[i]!) / Math.max(1, Math.abs(value))),
    );
    expect(worst).toBeLessThan(1e-5);
  });

  it.each(Object.entries(cases))('%s: float64 equals central differences', (_, given) => {
    const { gradients } = lossAndGradients(new Float64Backend(), given);
    const h = 1e-5;
    const random = randomSource(3);
    let compared = 0;
    for (const [name, gradient] of gradients) {
      const largest = Math.max(...Array.from(gradient, Math.abs));
      for (let n = 0; n < Math.min(8, gradient.length); n++) {
        const at = Math.floor(random() * gradient.length);
        const moved = (by: number) => {
          const backend = new Float64Backend();
          return lossAndGradients(backend, given, (parameters) => {
            const { value } = parameters.trained.find((parameter) => parameter.name === name)!;
            const numbers = Float64Array.from(backend.read(value));
            numbers[at]! += by;
            backend.write(value, numbers);
          }).loss;
        };
        const slope = (moved(h) - moved(-h)) / (2 * h);
        expect(Math.abs(slope - gradient[at]!), `${name}[${at}]: ${slope}, not ${gradient[at]}`).toBeLessThan(
          1e-6 * Math.max(1, largest),
        );
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(0);
  });

  it.each(Object.entries(cases))('%s: the kernels equal float64', (_, given) => {
    const exact = lossAndGradients(new Float64Backend(), given);
    const { loss, gradients } = lossAndGradients(new WasmBackend(), given);
    expect(Math.abs(loss - exact.loss)).toBeLessThan(1e-5 * Math.max(1, Math.abs(exact.loss)));
    for (const [name, wanted] of exact.gradients) {
      const largest = Math.max(...Array.from(wanted, Math.abs), 1e-3);
      const worst = Math.max(...Array.from(wanted, (value, i) => Math.abs(value - gradients.get(name)![i]!)));
      expect(worst, name).toBeLessThan(1e-5 * largest);
    }
  });
});
