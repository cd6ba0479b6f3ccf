import { createSession, type Model, readGatefold, writeGatefold } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { quantize } from '../../src/compress/index.ts';
import {
  checkRecipe,
  parseRecipe,
  presetByName,
  presets,
  recipeJsonSchema,
  runRecipe,
} from '../../src/recipe/index.ts';
import { modelFor } from '../../src/train/index.ts';
import { recall } from '../support/tasks.ts';

const data = recall(16, 1);
const model = smallModel(3, cellChoices.lstm!, { features: 5, units: 8 });
const x = randomValues(randomSource(1), 5 * 12);

describe('reading', () => {
  const expected = {
    version: 1,
    name: 'two steps',
    steps: [
      { pass: 'quantize', bits: 8, target: ['dense/kernel'] },
      { pass: 'quantize', bits: 4, target: ['cell/*'], mixed: [{ target: 'cell/U/forget', bits: 8 }] },
    ],
  };

  it('takes JSON', () => {
    expect(parseRecipe(JSON.stringify(expected))).toEqual(expected);
  });

  it('takes YAML with comments', () => {
    const text = `
# heads first
version: 1
name: two steps
steps:
  - pass: quantize
    bits: 8
    target: [dense/kernel]
  - pass: quantize # then the cell
    bits: 4
    target:
      - cell/*
    mixed:
      - { target: cell/U/forget, bits: 8 }
`;
    expect(parseRecipe(text)).toEqual(expected);
  });

  const quantizing = (step: string) => `{"version": 1, "steps": [{"pass": "quantize"}, {${step}}]}`;
  const refusals: [string, string, string][] = [
    ['an unknown pass', quantizing('"pass": "shrink"'), 'r.yaml.steps.1.pass'],
    ['a step without a pass', quantizing('"bits": 4'), 'r.yaml.steps.1.pass'],
    ['an unknown option', quantizing('"pass": "quantize", "bitz": 4'), 'r.yaml.steps.1'],
    ['an unknown option, by name', quantizing('"pass": "quantize", "bitz": 4'), 'bitz'],
    ['bits out of range', quantizing('"pass": "quantize", "bits": 17'), 'r.yaml.steps.1.bits'],
    ['half a bit', quantizing('"pass": "quantize", "bits": 4.5'), 'r.yaml.steps.1.bits'],
    ['a search without a bound', quantizing('"pass": "quantize", "search": {"bits": [4]}'), 'r.yaml.steps.1.search'],
    ['bits as text', quantizing('"pass": "quantize", "bits": "4"'), 'r.yaml.steps.1.bits'],
    ['an unknown scheme', quantizing('"pass": "quantize", "scheme": "quaternary"'), 'r.yaml.steps.1.scheme'],
    ['a target that is no list', quantizing('"pass": "quantize", "target": "cell/U"'), 'r.yaml.steps.1.target'],
    [
      'an unknown option of a mixed entry',
      quantizing('"pass": "quantize", "mixed": [{"target": "cell/U", "vectors": "f16"}]'),
      'r.yaml.steps.1.mixed.0',
    ],
    ['a mixed entry without a target', quantizing('"pass": "quantize", "mixed": [{"bits": 8}]'), 'mixed.0.target'],
    ['another version', '{"version": 2, "steps": [{"pass": "quantize"}]}', 'r.yaml.version'],
    ['no version', '{"steps": [{"pass": "quantize"}]}', 'r.yaml.version'],
    ['no steps', '{"version": 1}', 'r.yaml.steps'],
    ['an empty list of steps', '{"version": 1, "steps": []}', 'r.yaml.steps'],
    ['an unknown key beside them', '{"version": 1, "steps": [{"pass": "quantize"}], "seed": 1}', 'seed'],
    ['a list', '[]', 'r.yaml'],
    ['nothing', '', 'r.yaml'],
    ['no YAML', 'steps: [', 'r.yaml'],
    ['two documents', '{"version": 1}\n---\n{"version": 1}', 'r.yaml'],
  ];
  it.each(refusals)('refuses %s', (_, text, place) => {
    expect(() => parseRecipe(text, 'r.yaml')).toThrow(
      expect.objectContaining({ code: 'RECIPE_INVALID', message: expect.stringContaining(place) }),
    );
  });
});

describe('running', () => {
  it.each(presets.map((recipe) => [recipe.name!, recipe] as const))(
    '%s compresses, records itself and survives the file',
    async (name, recipe) => {
      expect(checkRecipe(recipe)).toEqual(recipe);
      expect(presetByName(name)).toBe(recipe);
      const trains = recipe.steps.some((step) => 'train' in step);
      const start = trains ? modelFor('lstm:24 dense', data) : model;
      const input = trains ? data.inputs.x!.data : x;
      const outputs = (m: Model) => Array.from(createSession(m).run(input, { batch: trains ? data.count : 1 }).y!.data);
      const { model: small, steps } = await runRecipe(start, recipe, trains ? { training: data } : {});
      expect(steps.map(({ pass }) => pass)).toEqual(recipe.steps.map(({ pass }) => pass));
      expect(steps[0]!.changes.length).toBeGreaterThan(0);
      expect(small.metadata.recipes).toEqual([recipe]);
      const bytes = writeGatefold(small);
      // Tables of levels weigh on a model this small.
      expect(bytes.length).toBeLessThan(writeGatefold(start).length * 1.2);
      const read = readGatefold(bytes);
      expect(read.metadata.recipes).toEqual([recipe]);
      expect(outputs(read)).toEqual(outputs(small));
    },
  );

  it('is the passes in turn, and leaves the model it was given alone', async () => {
    const before = writeGatefold(model);
    const seen: number[] = [];
    const recipe = checkRecipe({
      version: 1,
      steps: [
        { pass: 'quantize', bits: 8, target: ['dense/kernel'] },
        { pass: 'quantize', bits: 4, target: ['cell/*'] },
      ],
    });
    const { model: small, steps } = await runRecipe(model, recipe, {}, async (_, index) => {
      seen.push(index);
    });
    expect(seen).toEqual([0, 1]);
    expect(steps).toHaveLength(2);
    const first = quantize(model, { bits: 8, target: ['dense/kernel'] }).model;
    expect(small.weights).toEqual(quantize(first, { bits: 4, target: ['cell/*'] }).model.weights);
    expect(writeGatefold(model)).toEqual(before);
  });

  it('is recorded after those that came before', async () => {
    const [a, b] = [presetByName('f16'), presetByName('int8')];
    const { model: half } = await runRecipe(model, a);
    const { model: eight } = await runRecipe(half, b);
    expect(eight.metadata.recipes).toEqual([a, b]);
    expect(half.metadata.recipes).toEqual([a]);
  });

  it('gives the same bytes every time', async () => {
    const recipe = presetByName('codebook4');
    const [a, b] = [await runRecipe(model, recipe), await runRecipe(model, recipe)];
    expect(writeGatefold(a.model)).toEqual(writeGatefold(b.model));
  });

  it('stops when told', async () => {
    const signal = AbortSignal.abort();
    await expect(runRecipe(model, presetByName('int8'), { signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

it('names the presets there are', () => {
  expect(() => presetByName('tiny')).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('int4-safe') }),
  );
});

it('has a JSON Schema', () => {
  const schema = recipeJsonSchema() as Record<string, unknown>;
  expect(schema).toMatchObject({
    type: 'object',
    required: expect.arrayContaining(['version', 'steps']),
    additionalProperties: false,
    properties: { version: { const: 1 }, steps: { type: 'array', minItems: 1 } },
  });
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});
