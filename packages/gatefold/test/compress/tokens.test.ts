import { createSession, decode, type Model, type Node } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { randomSource } from '../../../runtime/test/support/random.ts';
import { pruneTokens, quantize, removeTokens } from '../../src/compress/index.ts';
import { type Dataset, fitToModel } from '../../src/data/index.ts';
import { evaluate, evaluateAll } from '../../src/evaluate/index.ts';
import { runRecipe } from '../../src/recipe/index.ts';
import { modelFor } from '../../src/train/index.ts';
import { text } from '../support/tasks.ts';

const data = text(200);
const language = (architecture: string) => modelFor(architecture, data, 3);
const kept = [0, 1, 4];

/** Without the softmax at its end. */
function logitsOf(model: Model): Model {
  const { main } = model.graphs;
  const [output] = main!.outputs;
  const last = main!.nodes.at(-1)!;
  expect(last.op).toBe('softmax');
  const outputs = [{ ...output!, value: last.inputs.x! }];
  return { ...model, graphs: { main: { ...main!, nodes: main!.nodes.slice(0, -1), outputs } } };
}

/** Its recurrent layer skips steps that hold a token. */
function masking(model: Model, value: number): Model {
  const { main } = model.graphs;
  const mask: Node = {
    name: 'm',
    op: 'mask',
    inputs: { x: 'x' },
    outputs: { y: 'm' },
    attributes: { value },
    weights: {},
  };
  const nodes = main!.nodes.map((node) =>
    node.op === 'recurrent' ? { ...node, inputs: { ...node.inputs, mask: 'm' } } : node,
  );
  return { ...model, graphs: { main: { ...main!, nodes: [mask, ...nodes] } } };
}

/** First outputs of a random sequence of kept tokens, by both models; a row of the large one's without the removed tokens. */
function both(large: Model, tokens: readonly number[], small: Model): [Float64Array, Float64Array][] {
  const random = randomSource(7);
  const picks = Array.from({ length: 12 }, () => Math.floor(random() * tokens.length));
  const run = (model: Model, ids: readonly number[]) => {
    const session = createSession(model);
    const { shape, data } = session.run(Float32Array.from(ids))[session.outputs[0]!.name]!;
    const width = shape.at(-1)!;
    const rows = data.length / width;
    return Array.from({ length: rows }, (_, r) => Float64Array.from(data.slice(r * width, (r + 1) * width)));
  };
  const after = run(small, picks);
  const before = run(
    large,
    picks.map((pick) => tokens[pick]!),
  );
  return before.map((row, r) => [Float64Array.from(tokens, (id) => row[id]!), after[r]!]);
}

const furthest = (a: Float64Array, b: Float64Array) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

describe('a smaller vocabulary', () => {
  it.each(['embedding:8 lstm:8 dense', 'embedding:4 gru:8 rnn:6 dense', 'embedding:5 lstm:8 layernorm dense'])(
    'leaves what is said of the others: %s',
    (architecture) => {
      const model = language(architecture);
      for (const [a, b] of both(model, kept, removeTokens(model, kept))) {
        const sum = a.reduce((total, p) => total + p, 0);
        expect(
          furthest(
            a.map((p) => p / sum),
            b,
          ),
        ).toBeLessThan(1e-6);
      }
      const logits = logitsOf(model);
      for (const [a, b] of both(logits, kept, removeTokens(logits, kept))) expect(furthest(a, b)).toBeLessThan(1e-6);
    },
  );

  it('of codes keeps the codes', () => {
    const { model } = quantize(language('embedding:8 lstm:8 dense'), { bits: 4 });
    const small = removeTokens(model, kept);
    const [before, after] = [model, small].map(({ weights }) => decode(weights['embedding/table']!));
    expect(after).toEqual(Float32Array.from(kept.flatMap((id) => [...before!.slice(id * 8, (id + 1) * 8)])));
    expect(small.weights['embedding/table']!.encoding.kind).toBe(model.weights['embedding/table']!.encoding.kind);
  });

  it('moves the padding that masks look for', () => {
    const model = masking(logitsOf(language('embedding:8 lstm:8 dense')), 1);
    const small = removeTokens(model, [1, 3, 4]);
    for (const [a, b] of both(model, [1, 3, 4], small)) expect(furthest(a, b)).toBeLessThan(1e-6);
    expect(() => removeTokens(model, kept.slice(2))).toThrow(/1 among them/);
    // Padding stays, however rare.
    const { model: two } = pruneTokens(
      masking(language('embedding:8 lstm:8 dense'), 3),
      { tokens: 2 },
      { training: data },
    );
    expect(two.metadata.tokens).toEqual([0, 3]);
  });

  it('counts what data hold, remembers names and ids, and is told of data by either', async () => {
    const model = language('embedding:8 lstm:8 dense');
    // Of every seven symbols two are a and two b; c and d go.
    const { model: three, warnings, changes } = pruneTokens(model, { tokens: 3, unknown: 'e' }, { training: data });
    expect(three.metadata).toMatchObject({ vocabulary: ['a', 'b', 'e'], tokens: [0, 1, 4], unknown: 'e' });
    expect(warnings).toEqual([expect.stringMatching(/^29\.00 % of the training data .* \(2 kinds\)$/)]);
    expect(changes.map(({ place, after }) => `${place}: ${after}`)).toEqual([
      'embedding/table: 3 tokens',
      'output y: 3 tokens',
    ]);
    const named = fitToModel(data, three);
    expect(named.classes).toEqual(['a', 'b', 'e']);
    const { classes: _, ...bare } = data;
    const numbered = fitToModel(bare, three);
    expect(numbered.inputs.x!.data.slice(0, 7)).toEqual(Float32Array.of(0, 1, 2, 2, 1, 2, 0));
    // Again, and back to the large model, whose ids d and e no longer are.
    expect(fitToModel(numbered, three)).toEqual(numbered);
    expect(fitToModel(numbered, model).inputs.x!.data.slice(0, 7)).toEqual(Float32Array.of(0, 1, 4, 4, 1, 4, 0));
    expect(named.inputs).toEqual(numbered.inputs);
    expect(named.targets).toEqual(numbered.targets);
    // Once more: ids stay those of the first model.
    const { model: two } = pruneTokens(three, { tokens: 2 }, { training: data });
    expect(two.metadata).toMatchObject({ vocabulary: ['a', 'e'], tokens: [0, 4], unknown: 'e' });
    const [first, last] = await evaluateAll([model, two], data);
    expect(last!.evaluation.metrics.total).toBe(first!.evaluation.metrics.total);
    expect(last!.versusFirst).toBeUndefined();
  });

  it('takes the same data in the steps that follow', async () => {
    const steps = [
      { pass: 'prune-tokens', tokens: 4, unknown: 'c' },
      { pass: 'finetune', epochs: 12, batch: 1, bptt: 16, rate: 0.02 },
      { pass: 'quantize', bits: 8 },
    ] as const;
    const { model } = await runRecipe(
      language('embedding:8 lstm:16 dense'),
      { version: 1, steps: [...steps] },
      { training: data },
    );
    const { metrics } = await evaluate(model, data);
    // The pattern repeats every seven symbols: whoever learnt it knows what follows.
    expect(metrics.accuracy).toBeGreaterThan(0.95);
  });

  const noise: Dataset = {
    name: 'n',
    task: 'classify',
    count: 1,
    inputs: { x: { shape: [1, 2, 1], data: Float32Array.of(1, 2) } },
  };
  it.each<[string, () => unknown, string, RegExp]>([
    ['no data', () => pruneTokens(language('embedding:8 dense'), { tokens: 3 }), 'DATA_INVALID', /--train/],
    [
      'as many',
      () => pruneTokens(language('embedding:8 dense'), { tokens: 5 }, { training: data }),
      'OPTION_INVALID',
      /below the 5/,
    ],
    [
      'another symbol',
      () => pruneTokens(language('embedding:8 dense'), { tokens: 3, unknown: '?' }, { training: data }),
      'OPTION_INVALID',
      /"\?"/,
    ],
    [
      'a vocabulary of another size',
      () => removeTokens({ ...language('embedding:8 dense'), metadata: { vocabulary: ['a', 'b'] } }, kept),
      'MODEL_INVALID',
      /5 symbols/,
    ],
    ['no lookup', () => removeTokens(modelFor('lstm:4 dense:2', noise), [0]), 'TARGET_EMPTY', /ids/],
    ['an id twice', () => removeTokens(language('embedding:8 dense'), [0, 0]), 'OPTION_INVALID', /each once/],
    ['an id outside', () => removeTokens(language('embedding:8 dense'), [0, 5]), 'OPTION_INVALID', /0 … 4/],
    [
      'text with a token that went',
      () => fitToModel(data, removeTokens(language('embedding:8 dense'), kept)),
      'DATA_INVALID',
      /"c"/,
    ],
  ])('refuses %s', (_, act, code, words) => {
    expect(act).toThrow(expect.objectContaining({ code }));
    expect(act).toThrow(words);
  });
});
