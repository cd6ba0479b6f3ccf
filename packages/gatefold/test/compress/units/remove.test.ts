import {
  createSession,
  decode,
  denseWeight,
  keptWeights,
  type Model,
  type Node,
  type Port,
  type Weight,
} from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import {
  type CellChoice,
  cellChoices,
  type codings,
  modelOf,
  recurrentNode,
} from '../../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../../runtime/test/support/random.ts';
import { mapUnits, removable } from '../../../src/compress/prune/units/analyse.ts';
import { removeChannels, removeUnits } from '../../../src/compress/prune/units/remove.ts';
import { maskChannels, nodeOf, outputDifference, shuffleUnits, someChannels, zeroColumns } from './support.ts';

const sequence: Port = { name: 'x', shape: ['batch', 'time', 5], dtype: 'float32' };

/** Collects the weights and nodes of a small graph. */
class Small {
  readonly random = randomSource(11);
  readonly weights: Record<string, Weight> = {};
  readonly nodes: Node[] = [];
  private readonly coding: keyof typeof codings;

  constructor(coding: keyof typeof codings = 'f32') {
    this.coding = coding;
  }

  add(node: Node): string {
    this.nodes.push(node);
    return node.outputs.y!;
  }

  cell(
    name: string,
    choice: CellChoice,
    x: string,
    features: number,
    more: { inputs?: Record<string, string>; outputs?: Record<string, string>; backward?: boolean } = {},
  ): string {
    const node = recurrentNode(this.random, this.weights, name, choice, features, 9, this.coding);
    const direction = more.backward ? { direction: 'backward' } : {};
    return this.add({
      ...node,
      inputs: { x, ...more.inputs },
      outputs: { ...node.outputs, ...more.outputs },
      attributes: { ...node.attributes, ...direction },
    });
  }

  dense(name: string, x: string, inputs: number, outputs: number): string {
    this.vector(`${name}/bias`, outputs);
    this.matrix(`${name}/kernel`, outputs, inputs);
    return this.add(nodeOf(name, 'dense', { x }, ['kernel', 'bias']));
  }

  matrix(name: string, rows: number, columns: number): void {
    this.weights[name] = denseWeight([rows, columns], randomValues(this.random, rows * columns));
  }

  vector(name: string, size: number): void {
    this.weights[name] = denseWeight([size], randomValues(this.random, size));
  }

  unary(name: string, x: string, f: string): string {
    return this.add(nodeOf(name, 'unary', { x }, [], { function: [f] }));
  }

  model(value: string, inputs: Port[] = [sequence]): Model {
    return modelOf('small', this.weights, { inputs, outputs: [{ name: 'out', value }], nodes: this.nodes, states: [] });
  }
}

/** Graphs around a cell; `width` is that of its output. */
const graphs: Record<string, (s: Small, choice: CellChoice, width: number) => string> = {
  plain: (s, choice, width) => s.dense('head', s.cell('a', choice, 'x', 5), width, 3),
  backward: (s, choice, width) => s.dense('head', s.cell('a', choice, 'x', 5, { backward: true }), width, 3),
  stack: (s, choice, width) => s.dense('head', s.cell('b', choice, s.cell('a', choice, 'x', 5), width), width, 3),
  bidirectional: (s, choice, width) => {
    const forward = s.cell('f', choice, 'x', 5);
    const backward = s.cell('b', choice, 'x', 5, { backward: true });
    const both = s.add(nodeOf('both', 'concat', { 0: forward, 1: backward }));
    return s.dense('head', s.cell('c', choice, both, 2 * width), width, 3);
  },
  'bidirectional sum': (s, choice, width) => {
    const forward = s.cell('f', choice, 'x', 5);
    const backward = s.cell('b', choice, 'x', 5, { backward: true });
    const sum = s.add(nodeOf('sum', 'binary', { a: forward, b: backward }, [], { function: 'add' }));
    return s.dense('head', s.unary('after', sum, 'sigmoid'), width, 3);
  },
  residual: (s, choice, width) => {
    const inner = s.dense('inner', s.cell('a', choice, 'x', 5), width, width);
    const second = s.cell('b', choice, inner, width);
    const sum = s.add(nodeOf('sum', 'binary', { a: inner, b: second }, [], { function: 'multiply' }));
    return s.dense('head', sum, width, 3);
  },
  masked: (s, choice, width) => {
    const mask = s.add(nodeOf('mask', 'mask', { x: 'x' }, [], { value: 0 }));
    return s.dense('head', s.cell('a', choice, 'x', 5, { inputs: { mask } }), width, 3);
  },
  'encoder and decoder': (s, choice, width) => {
    const states = choice.cell === 'lstm' ? ['h', 'c'] : ['h'];
    const handed = Object.fromEntries(states.map((name) => [name, `a.${name}`]));
    s.cell('a', choice, 'x', 5, { outputs: handed });
    return s.dense('head', s.cell('b', choice, 'x', 5, { inputs: handed }), width, 3);
  },
  'last step, activation, dense': (s, choice, width) => {
    const last = s.add(nodeOf('last', 'last', { x: s.cell('a', choice, 'x', 5) }));
    return s.dense('head', s.unary('f', s.dense('inner', last, width, 7), 'softplus'), 7, 3);
  },
  'normalized, sliced, pooled': (s, choice, width) => {
    s.vector('bn/scale', width);
    s.vector('bn/shift', width);
    s.vector('prelu/slope', width);
    const bn = s.add(nodeOf('bn', 'scaleShift', { x: s.cell('a', choice, 'x', 5) }, ['scale', 'shift']));
    const prelu = s.add(nodeOf('prelu', 'prelu', { x: bn }, ['slope']));
    const low = s.add(nodeOf('low', 'slice', { x: prelu }, [], { from: 0, to: 4 }));
    const high = s.add(nodeOf('high', 'slice', { x: prelu }, [], { from: 3 }));
    const flipped = s.add(
      nodeOf('flip', 'view', { x: high }, [], { offset: width - 4, sizes: [width - 3], strides: [-1] }),
    );
    const joined = s.add(nodeOf('join', 'concat', { 0: low, 1: flipped, 2: 'x' }));
    const pooled = s.add(nodeOf('pool', 'pool', { x: joined }, [], { function: 'max', size: 2, stride: 2 }));
    return s.dense('head', pooled, width + 6, 3);
  },
};

const choices = {
  ...cellChoices,
  lstmEverything: { cell: 'lstm', roles: ['b', 'P', 'R'], projection: 6, attributes: { cellClip: 0.5 } },
  lstmCoupledPeephole: { cell: 'lstm', roles: ['b', 'P'], attributes: { coupled: true } },
  lstmSoftplus: { cell: 'lstm', attributes: { activation: ['softplus'] } },
  rnnSigmoid: { cell: 'rnn', attributes: { activation: ['sigmoid'] } },
  gruAfterNoBias: { cell: 'gru', attributes: { resetAfter: true }, roles: [] },
  gruBeforeSigmoid: { cell: 'gru', attributes: { activation: ['sigmoid'] }, roles: [] },
} as Record<string, CellChoice>;

describe.each(Object.entries(choices))('%s: the smaller model equals the masked one', (_, choice) => {
  it.each(Object.entries(graphs))('%s', (_, build) => {
    const s = new Small();
    const model = s.model(build(s, choice, choice.projection ?? 9));
    for (const seed of [1, 2]) {
      const { map, gone } = someChannels(model, 0.5, seed);
      const small = removeChannels(model, map, gone);
      expect(gone.size).toBeGreaterThan(0);
      expect(small.weights['a/U' in small.weights ? 'a/U' : 'f/U']!.shape).not.toEqual(
        model.weights['a/U' in model.weights ? 'a/U' : 'f/U']!.shape,
      );
      expect(outputDifference(maskChannels(model, map, gone), small)).toBeLessThanOrEqual(1e-6);
    }
  });
});

describe.each(Object.entries(choices))('%s: units in any order compute the same', (_, choice) => {
  it.each(Object.entries(graphs))('%s', (_, build) => {
    const s = new Small();
    const model = s.model(build(s, choice, choice.projection ?? 9));
    const { model: made, moved } = shuffleUnits(model, 5);
    expect(moved).toBeGreaterThan(2);
    expect(made.weights).not.toEqual(model.weights);
    expect(outputDifference(model, made)).toBeLessThanOrEqual(1e-6);
  });
});

describe('kept units, named', () => {
  it('masks what a person would mask by hand', () => {
    const s = new Small();
    const model = s.model(graphs.stack!(s, cellChoices.lstmPeephole!, 9));
    const small = removeUnits(model, { a: [0, 2, 3, 8], b: [1, 5] });
    const silent = (weight: string, kept: readonly number[]) =>
      zeroColumns(model.weights[weight]!, (column) => !kept.includes(column));
    const masked: Model = {
      ...model,
      weights: {
        ...model.weights,
        'a/U': silent('a/U', [0, 2, 3, 8]),
        'b/W': silent('b/W', [0, 2, 3, 8]),
        'b/U': silent('b/U', [1, 5]),
        'head/kernel': silent('head/kernel', [1, 5]),
      },
    };
    expect(outputDifference(masked, small)).toBeLessThanOrEqual(1e-6);
    expect(Object.fromEntries(Object.entries(small.weights).map(([name, { shape }]) => [name, shape]))).toEqual({
      ...{ 'a/W': [16, 5], 'a/U': [16, 4], 'a/b': [16], 'a/P': [12] },
      ...{ 'b/W': [8, 4], 'b/U': [8, 2], 'b/b': [8], 'b/P': [6] },
      ...{ 'head/kernel': [3, 2], 'head/bias': [3] },
    });
    expect(small.graphs.main!.nodes.map(({ attributes }) => attributes.units)).toEqual([4, 2, undefined]);
  });

  it('removes cell units and outputs of a projection apart', () => {
    const s = new Small();
    const model = s.model(graphs.plain!(s, cellChoices.lstmProjected!, 6));
    const small = removeUnits(model, { a: [0, 1, 2, 3], 'a/output': [5, 4, 0] });
    expect(['a/W', 'a/U', 'a/R', 'head/kernel'].map((name) => small.weights[name]!.shape)).toEqual([
      [16, 5],
      [16, 3],
      [3, 4],
      [3, 3],
    ]);
  });

  it('takes what is tied along', () => {
    const s = new Small();
    const model = s.model(graphs['encoder and decoder']!(s, cellChoices.lstm!, 9));
    const small = removeUnits(model, { a: [1, 2, 7] });
    expect(small.graphs.main!.nodes[1]!.attributes.units).toBe(3);
    expect(() => removeUnits(model, { a: [1, 2], b: [1, 2, 3] })).toThrow(/unit 3 of "b" cannot stay/);
  });

  it.each<[string, Record<string, number[]>, RegExp]>([
    ['an unknown layer', { nobody: [0] }, /TARGET_EMPTY.*no layer "nobody".*a, b, head/s],
    ['an empty layer', { a: [] }, /no unit of "a" would be left/],
    ['a unit that is none', { a: [0, 9] }, /OPTION_INVALID.*found {4}9/s],
    ['a unit twice', { a: [0, 0] }, /a unit twice/],
    ['an output', { head: [0, 1] }, /unit 2 of "head" cannot be removed.*it reaches output "out"/s],
  ])('refuses %s', (_, kept, message) => {
    const s = new Small();
    const model = s.model(graphs.stack!(s, cellChoices.gruAfter!, 9));
    expect(() => removeUnits(model, kept)).toThrow(message);
  });
});

describe('coded weights keep the codes of what stays', () => {
  const kinds: (keyof typeof codings)[] = ['f16', 'int8', 'int8Offset', 'int4', 'log4', 'codebook6', 'mixed', 'int12'];
  it.each(kinds)('%s', (coding) => {
    const s = new Small(coding);
    const model = s.model(graphs.plain!(s, cellChoices.lstm!, 9));
    const { map, gone } = someChannels(model, 0.5, 3);
    const masked = maskChannels(model, map, gone);
    const small = removeChannels(model, map, gone);
    const weight = small.weights['a/U']!;
    expect(weight.encoding.kind).toBe(model.weights['a/U']!.encoding.kind);
    // Operands as float32, so that nothing but the weights is compared.
    const plain = (m: Model): Model => ({
      ...m,
      weights: Object.fromEntries(
        Object.entries(m.weights).map(([name, w]) => [name, denseWeight(w.shape, decode(w))]),
      ),
    });
    expect(outputDifference(plain(masked), plain(small))).toBeLessThanOrEqual(1e-6);
    expect(() => createSession(small)).not.toThrow();
  });

  it('keeps sparsity', () => {
    const s = new Small();
    const model = s.model(graphs.plain!(s, cellChoices.lstm!, 9));
    const kept = Uint8Array.from({ length: 4 * 2 * 3 }, (_, i) => i % 2);
    const sparsity = { block: [8, 4], gateRows: 9, kept, diagonal: true } as const;
    const u = model.weights['a/U']!;
    const stays = keptWeights({ shape: u.shape, sparsity })!;
    const sparse = {
      ...denseWeight(
        u.shape,
        decode(u).map((value, i) => (stays[i] ? value : 0)),
      ),
      sparsity,
    };
    const small = removeUnits({ ...model, weights: { ...model.weights, 'a/U': sparse } }, { a: [0, 3, 4, 8] });
    const weight = small.weights['a/U']!;
    const left = keptWeights(weight)!;
    expect(weight.sparsity!.gateRows).toBe(4);
    expect(Array.from(decode(weight), (value) => (value === 0 ? 0 : 1))).toEqual([...left]);
  });
});

describe('around the cells', () => {
  const pass = (model: Model, seeds = [1, 2, 3]) => {
    for (const seed of seeds) {
      const { map, gone } = someChannels(model, 0.5, seed);
      expect(gone.size).toBeGreaterThan(0);
      const small = removeChannels(model, map, gone);
      expect(outputDifference(maskChannels(model, map, gone), small)).toBeLessThanOrEqual(1e-6);
    }
  };

  it('convolutions, grouped and depthwise, pooling and flattening', () => {
    const s = new Small();
    s.matrix('c1/kernel', 8, 15);
    s.vector('c1/bias', 8);
    s.matrix('c2/kernel', 12, 8);
    s.matrix('c3/kernel', 24, 3);
    const fixed: Port = { name: 'x', shape: ['batch', 12, 5], dtype: 'float32' };
    const c1 = s.add(nodeOf('c1', 'conv1d', { x: 'x' }, ['kernel', 'bias'], { size: 3, padding: [1, 1] }));
    const c2 = s.add(nodeOf('c2', 'conv1d', { x: s.unary('f', c1, 'sigmoid') }, ['kernel'], { size: 2, groups: 2 }));
    const c3 = s.add(nodeOf('c3', 'conv1d', { x: c2 }, ['kernel'], { size: 3, groups: 12 }));
    const pool = s.add(nodeOf('pool', 'pool', { x: c3 }, [], { function: 'mean', size: 3, stride: 3 }));
    const half = s.add(nodeOf('half', 'reduceFeatures', { x: pool }, [], { function: 'max', size: 2 }));
    const flat = s.add(nodeOf('flat', 'reshape', { x: half }, [], { shape: [36] }));
    const again = s.add(nodeOf('again', 'reshape', { x: flat }, [], { shape: [3, 12], time: true }));
    const cell = s.cell('a', cellChoices.gruBefore!, again, 12);
    const mean = s.add(nodeOf('mean', 'reduceTime', { x: cell }, [], { function: 'mean' }));
    const repeated = s.add(nodeOf('repeat', 'repeat', { x: mean }, [], { times: 4 }));
    pass(s.model(s.dense('head', repeated, 9, 2), [fixed]), [1, 2, 3, 4, 5]);
  });

  it('embeddings, also tied to the output', () => {
    const s = new Small();
    s.matrix('e/table', 6, 9);
    const ids: Port = { name: 'x', shape: ['batch', 'time'], dtype: 'int32' };
    const embedded = s.add(nodeOf('e', 'embedding', { x: 'x' }, ['table']));
    const cell = s.cell('a', cellChoices.lstm!, embedded, 9);
    const head = s.add({ ...nodeOf('head', 'dense', { x: cell }), weights: { kernel: 'e/table' } });
    pass(s.model(s.add(nodeOf('p', 'softmax', { x: head })), [ids]));
  });

  it('says why units must stay', () => {
    const s = new Small();
    s.vector('n/gamma', 9);
    const a = s.cell('a', cellChoices.lstm!, 'x', 5);
    const b = s.cell(
      'b',
      cellChoices.lstm!,
      s.add(nodeOf('n', 'normalization', { x: a }, ['gamma'], { kind: 'layer', epsilon: 1e-3 })),
      9,
    );
    const c = s.cell('c', cellChoices.rnn!, b, 9);
    const model = s.model(s.add(nodeOf('sum', 'binary', { a: b, b: c }, [], { function: 'add' })));
    const map = mapUnits(model);
    expect(map.layers.map((layer) => [layer.address, removable(map, layer).reason])).toEqual([
      ['a', 'n normalizes over all features, so that every one changes all others'],
      ['b', 'it reaches output "out"'],
      ['c', 'it reaches output "out"'],
    ]);
  });
});
