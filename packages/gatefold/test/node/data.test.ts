import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSession } from '@gatefold/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { evaluate } from '../../src/evaluate/index.ts';
import { loadData } from '../../src/node/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatefold-data-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const model = smallModel(4, cellChoices.lstm!, { features: 2, units: 6, outputs: 3 });
const refused = (source: string, ...words: string[]) =>
  expect(loadData(source, {}, model)).rejects.toMatchObject({
    code: 'DATA_INVALID',
    message: expect.stringMatching(words.join('[^]*')),
  });

describe('splits', () => {
  const rows = Array.from({ length: 20 }, (_, i) => `{"x": [[${i}, 0]], "y": [${i % 3}]}`);

  it('of examples are shares of them', async () => {
    const path = write('many.jsonl', rows.join('\n'));
    for (const [split, from, to] of [
      ['train', 0, 16],
      ['valid', 16, 18],
      ['test', 18, 20],
    ] as const) {
      const data = await loadData(`${path}:${split}`, {}, model);
      expect(data).toMatchObject({ name: `many.jsonl:${split}`, count: to - from });
      expect(data.inputs.x!.data[0]).toBe(from);
    }
  });

  it('of texts and of other single sequences are stretches, whatever the input is called', async () => {
    const steps = Array.from({ length: 40 }, (_, i) => `[${i}, 0]`).join();
    const labels = Array.from({ length: 40 }, (_, i) => i % 3).join();
    const one = write('one.jsonl', `{"sound": [${steps}], "y": [${labels}]}`);
    const data = await loadData(`${one}:test`, { task: 'language' }, model);
    expect(data.inputs.sound).toMatchObject({ shape: [1, 4, 2], data: Float32Array.of(36, 0, 37, 0, 38, 0, 39, 0) });
    expect(data.targets).toMatchObject({ shape: [1, 4] });
    const text = await loadData(
      `${write('t.txt', 'ab'.repeat(10))}:train`,
      {},
      { ...model, metadata: { vocabulary: ['a', 'b'] } },
    );
    expect(text.inputs.x!.shape).toEqual([1, 15]);
  });

  it('of sequences of different lengths keep them', async () => {
    const path = write(
      'ragged.jsonl',
      rows.map((row, i) => (i % 2 ? row : row.replace(']]', '], [9, 9]]').replace('"y": [', '"y": [1, '))).join('\n'),
    );
    const data = await loadData(`${path}:test`, {}, model);
    expect(data).toMatchObject({ count: 2, inputs: { x: { lengths: [2, 1] } }, targets: { lengths: [2, 1] } });
    const whole = await loadData(path, {}, model);
    const { metrics } = await evaluate(model, whole);
    expect(metrics.total).toBe(30);
    // Example by example, each on its own.
    let correct = 0;
    let from = 0;
    for (const steps of whole.inputs.x!.lengths!) {
      const y = createSession(model).run(whole.inputs.x!.data.subarray(from * 2, (from + steps) * 2)).y!.data;
      for (let t = 0; t < steps; t++) {
        const row = [...y.subarray(t * 3, t * 3 + 3)];
        if (row.indexOf(Math.max(...row)) === whole.targets!.data[from + t]) correct++;
      }
      from += steps;
    }
    expect(metrics.correct).toBe(correct);
  });

  it('have the shares they are given', async () => {
    const path = join(folder, 'many.jsonl');
    const counts = async (split: readonly [number, number]) => {
      const parts = ['train', 'valid', 'test'].map((name) => loadData(`${path}:${name}`, { split }, model));
      return (await Promise.all(parts)).map(({ count }) => count);
    };
    expect(await counts([0.5, 0.25])).toEqual([10, 5, 5]);
    expect(await counts([0.7, 0.2])).toEqual([14, 4, 2]);
    expect(await counts([0.1, 0.2])).toEqual([2, 4, 14]);
    await expect(loadData(`${path}:test`, { split: [0.5, 0.5] }, model)).rejects.toMatchObject({
      code: 'DATA_INVALID',
    });
  });

  it('are refused where there is nothing to split', async () => {
    await refused(`${write('two.jsonl', rows.slice(0, 2).join('\n'))}:valid`, 'too few');
    await refused(`${join(folder, 'many.jsonl')}:constructor`, 'train, valid, test');
  });
});

describe('modules', () => {
  const data = `{ name: 'made', task: 'label', count: 1, inputs: { x: { shape: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4) } }, targets: { shape: [1, 2], data: Float32Array.of(0, 1) } }`;
  const metricsOf = async (name: string, text: string) =>
    (await evaluate(model, await loadData(write(name, text), {}, model))).metrics;

  it('bring metrics of their own, from the model under test', async () => {
    const metrics = await metricsOf(
      'own.mjs',
      `export default ${data};
       export async function evaluate(model) {
         const y = model.run(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), { batch: 2 })[model.outputs[0].name];
         return { largest: Math.max(...y.data), rows: y.shape[0] * y.shape[1], width: model.inputs[0].shape.at(-1) };
       }`,
    );
    const y = createSession(model).run(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), { batch: 2 }).y!;
    expect(metrics).toMatchObject({ total: 2, largest: Math.max(...y.data), rows: 4, width: 2 });
  });

  it('need no targets for that', async () => {
    const bare = `export default (split) => ({ ...${data}, targets: undefined, task: undefined, evaluate: () => ({ length: split.length }) })`;
    expect(await metricsOf('bare.mjs', bare)).toEqual({ length: 4 });
  });

  const bad: [string, string, string][] = [
    ['NaN', `export default ${data}; export const evaluate = () => ({ f1: NaN });`, 'evaluate.f1'],
    ['a word', `export default ${data}; export const evaluate = () => ({ f1: '1' });`, 'evaluate.f1'],
    ['nothing', `export default ${data}; export const evaluate = () => {};`, 'no metrics'],
    [
      'a name of the task',
      `export default ${data}; export const evaluate = () => ({ accuracy: 1 });`,
      'evaluate.accuracy',
    ],
    ['an error', `export default ${data}; export const evaluate = () => { throw new Error('lost'); };`, 'lost'],
  ];
  it.each(bad)('are refused where evaluate gives %s', async (name, text, word) => {
    await expect(metricsOf(`${name}.mjs`, text)).rejects.toMatchObject({
      code: 'DATA_INVALID',
      message: expect.stringContaining(word),
    });
  });

  const broken: [string, string, string][] = [
    ['syntax', 'export default {', 'failed'],
    ['throws', 'export default () => { throw new Error("lost") }', 'lost'],
    ['empty', 'export const a = 1', 'no data set'],
    ['lists', `export default { ...${data}, inputs: { x: [[1, 2]] } }`, 'inputs.x'],
    ['task', `export default { ...${data}, task: 'guess' }`, 'classify, label'],
    ['evaluate', `export default ${data}; export const evaluate = 1;`, 'no function'],
  ];
  it.each(broken)('are refused: %s', (name, text, word) => refused(write(`broken-${name}.mjs`, text), word));
});

it('asks a model of sounds for its front end', async () => {
  mkdirSync(join(folder, 'sounds'));
  await refused(join(folder, 'sounds'), 'how sounds become features', 'metadata.frontEnd');
});
