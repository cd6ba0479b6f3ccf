import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession, readGatefold, writeGatefold } from '@gatefold/runtime';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { readNpz, writeNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';
import { command as gatefold } from './gatefold.ts';

const digits = fileURLToPath(new URL('../../../../examples/digits/model/digits-lstm128.h5', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'gatefold-commands-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A folder of its own for each test, with a small model in it. */
let folder = root;
let small = '';
let tests = 0;
const at = (...names: string[]) => join(folder, ...names);
const model = smallModel(7, cellChoices.lstm!, { features: 5, units: 8 });
beforeEach(() => {
  folder = join(root, `${tests++}`);
  mkdirSync(folder);
  small = at('small.gatefold');
  writeFileSync(small, writeGatefold(model));
});

/** The one JSON document that a command printed. */
async function json(...args: string[]): Promise<Record<string, never>> {
  const { status, stdout } = await gatefold(...args, '--json');
  expect(status).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(stdout);
}

function writeInput(name: string, batch: number, time: number): Float32Array {
  const data = randomValues(randomSource(2), batch * time * 5);
  writeFileSync(at(name), writeNpz([['x', { shape: [batch, time, 5], data }]]));
  return data;
}

it('quantizes a Keras model into a TensorFlow Lite file, with what that format can hold', async () => {
  const out = at('digits.tflite');
  const result = await json('quantize', digits, '--bits', '8', '-o', out);
  expect(result).toMatchObject({ output: out, recipe: { steps: [{ bits: 8, granularity: 'gate' }] } });
  const { stdout } = await gatefold('inspect', out);
  expect(stdout).toMatch(/int8\/gate/);
  const refused = await gatefold('quantize', digits, '--granularity', 'row', '-o', at('row.tflite'));
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(/--granularity gate/);
});

it('writes integer activations into a TensorFlow Lite file where data tell their ranges', async () => {
  writeInput('ranges.npz', 8, 6);
  const written = (...more: string[]) =>
    gatefold('quantize', small, '--calibrate', at('ranges.npz'), '-o', at('integers.tflite'), '--force', ...more);
  expect((await written()).stderr).toMatch(/full integer: activations of 8 bits/);
  expect((await written('--operand', 'u14')).stderr).toMatch(/full integer: activations of 16 bits/);
  expect((await written('--operand', 'f32')).stderr).toMatch(/dynamic range.*as the operand of/);
  const ports = async () => (await readModel(readFileSync(at('integers.tflite')))).model.origin;
  expect((await written('--integer-ports')).status).toBe(0);
  expect(await ports()).toMatchObject({ quantizedPorts: { x: { type: 'INT8' } } });
  expect((await written('--states', 'ports')).status).toBe(0);
  expect(await ports()).toMatchObject({ states: [{}, {}] });
  const none = await gatefold('convert', small, '-o', at('none.tflite'), '--states', 'none');
  expect(none).toMatchObject({ status: 3, stderr: expect.stringContaining('fixed number of steps: --fix time=') });
});

it('gives models a number of steps that they leave open', async () => {
  const options = ['-o', at('fixed.tflite'), '--states', 'none', '--force'];
  expect((await gatefold('convert', small, '--fix', 'time=6', ...options)).status).toBe(0);
  // The written file leaves nothing open: what is fixed needs to be open in one of them.
  const both = ['compare', small, at('fixed.tflite')];
  expect((await gatefold(...both, '--fix', 'time=6')).status).toBe(0);
  expect(await gatefold(...both, '--fix', 'time=6', '--fix', 'step=6')).toMatchObject({
    ...{ status: 2, stderr: expect.stringMatching(/--fix step\s+expected time, x\[1\]/) },
  });
});

describe('inspect', () => {
  it('describes a Keras file', async () => {
    expect(await json('inspect', digits)).toMatchObject({ parameters: 81_674, streams: true, format: 'keras' });
  });

  it('describes what quantize wrote', async () => {
    await json('quantize', small, '-o', at('8.gatefold'), '--bits', '8');
    const about = await json('inspect', at('8.gatefold'));
    expect(about).toMatchObject({ format: 'gatefold', bytes: readFileSync(at('8.gatefold')).length });
    const { nodes } = about as unknown as { nodes: { weights: { role: string; encoding: string; bits: number }[] }[] };
    expect(nodes[0]!.weights.find(({ role }) => role === 'U')).toMatchObject({ encoding: 'int8/row u7', bits: 8 });
    expect((await gatefold('inspect', at('8.gatefold'))).stdout).toContain('int8/row u7');
  });
});

describe('compress and quantize', () => {
  it('print one document, and record the recipe in the file', async () => {
    const result = await json('compress', small, '--preset', 'int4', '-o', at('4.gatefold'));
    expect(result).toMatchObject({ output: at('4.gatefold'), recipe: { name: 'int4' }, steps: [{ pass: 'quantize' }] });
    expect(Object.keys(result)).toEqual(
      expect.arrayContaining(['a', 'b', 'agreement', 'maxAbsDifference', 'ratios', 'steps']),
    );
    expect(readGatefold(readFileSync(at('4.gatefold'))).metadata.recipes).toMatchObject([{ name: 'int4' }]);
  });

  it('tell what each step cost', async () => {
    const data = writeInput('x.npz', 4, 6);
    const labels = Float32Array.from({ length: 4 * 6 }, (_, i) => i % 3);
    writeFileSync(
      at('xy.npz'),
      writeNpz([
        ['x', { shape: [4, 6, 5], data }],
        ['y', { shape: [4, 6], data: labels }],
      ]),
    );
    writeFileSync(
      at('r.yaml'),
      'version: 1\nsteps:\n  - { pass: quantize, bits: 8 }\n  - { pass: quantize, bits: 4 }\n',
    );
    const result = (await json(
      ...['compress', small, '--recipe', at('r.yaml'), '-o', at('r.gatefold'), '--data', at('xy.npz')],
    )) as unknown as { steps: { bytes: number; metrics: Record<string, number> }[]; b: { metrics: object } };
    expect(result.steps.map(({ metrics }) => metrics.total)).toEqual([24, 24]);
    expect(result.steps[1]!.metrics).toEqual(result.b.metrics);
    expect(result.steps[1]!.bytes).toBe(readFileSync(at('r.gatefold')).length);
    expect(result.steps[0]!.bytes).toBeGreaterThan(result.steps[1]!.bytes);
  });

  it('take a recipe file, make folders and write the page', async () => {
    writeFileSync(at('r.yaml'), 'version: 1\nsteps:\n  - { pass: quantize, bits: 4, target: [cell/*] }\n');
    const { status, stdout } = await gatefold(
      ...['compress', small, '--recipe', at('r.yaml'), '-o', at('new', 'folder', 'r.gatefold'), '--html', at('r.html')],
    );
    expect(status).toBe(0);
    expect(stdout).toContain(`wrote ${at('new', 'folder', 'r.gatefold')}`);
    expect(readFileSync(at('r.html'), 'utf8')).toContain('<svg');
    expect(readdirSync(at('new', 'folder'))).toEqual(['r.gatefold']);
  });

  it('mix bits by address', async () => {
    await json(
      'quantize',
      small,
      '--bits',
      '4',
      '--mixed',
      'U/forget=8',
      '--mixed',
      'kernel=8',
      '-o',
      at('m.gatefold'),
    );
    const { nodes } = (await json('inspect', at('m.gatefold'))) as unknown as {
      nodes: { weights: { role: string; bits: number }[] }[];
    };
    const bits = Object.fromEntries(nodes.flatMap(({ weights }) => weights.map((w) => [w.role, w.bits])));
    expect(bits).toMatchObject({ W: 4, U: 5, kernel: 8 });
  });

  it('reach a goal, or say that it was missed', async () => {
    expect((await gatefold('quantize', small, '-o', at('a.gatefold'), '--max-bytes', '100000')).status).toBe(0);
    const missed = await gatefold('quantize', small, '-o', at('b.gatefold'), '--max-bytes', '100', '--json');
    expect(missed).toMatchObject({ status: 4, stderr: expect.stringContaining('GOAL_MISSED') });
    expect(JSON.parse(missed.stdout)).toMatchObject({ output: at('b.gatefold') });
  });

  it('measure a drop on data', async () => {
    const data = writeInput('x.npz', 4, 6);
    const y = createSession(model).run(data, { batch: 4 }).y!;
    writeFileSync(
      at('xy.npz'),
      writeNpz([
        ['x', { shape: [4, 6, 5], data }],
        ['y', { shape: [...y.shape], data: y.data.map((value) => value + 0.125) }],
      ]),
    );
    const args = ['quantize', small, '--bits', '2', '--data', at('xy.npz'), '--quiet'];
    expect((await gatefold(...args, '--max-drop', '1e9', '-o', at('a.gatefold'))).status).toBe(0);
    expect(await gatefold(...args, '--max-drop', '0.001', '-o', at('b.gatefold'))).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('rmse'),
    });
  });
});

describe('convert', () => {
  it('keeps the meaning of a model', async () => {
    const result = await json('convert', digits, '-o', at('d.gatefold'));
    expect(result).toMatchObject({ format: 'keras', output: at('d.gatefold') });
    expect(await json('inspect', at('d.gatefold'))).toMatchObject({ parameters: 81_674, streams: true });
    await json('convert', small, '-o', at('again.gatefold'));
    expect(readFileSync(at('again.gatefold'))).toEqual(readFileSync(small));
  });

  it('goes through other formats, with the files that stand beside', async () => {
    const chain = [at('d.keras'), at('tfjs', 'model.json'), at('d.h5'), at('d.aidax'), at('back.gatefold')];
    let from = digits;
    for (const to of chain) {
      await json('convert', from, '-o', to);
      from = to;
    }
    expect(readdirSync(at('tfjs'))).toEqual(['group1-shard1of1.bin', 'model.json']);
    expect(await json('inspect', at('back.gatefold'))).toMatchObject({ parameters: 81_674, streams: true });
  });
});

describe('run', () => {
  it('gives what a session gives, whole and in steps, on every engine', async () => {
    const data = writeInput('x.npz', 3, 7);
    const expected = createSession(model).run(data, { batch: 3 }).y!;
    const variants = [[], ['--steps'], ['--engine', 'reference'], ['--engine', 'simd128', '--steps']];
    for (const [i, variant] of variants.entries()) {
      const args = ['run', small, '--input', at('x.npz'), '--output', at(`y${i}.npz`), ...variant];
      expect(await json(...args)).toMatchObject({ batch: 3, outputs: [{ name: 'y', shape: [3, 7, 3] }] });
      const y = readNpz(readFileSync(at(`y${i}.npz`))).get('y')!;
      expect(y.shape).toEqual([3, 7, 3]);
      expect(Array.from(y.data as Float32Array)).toEqual(Array.from(expected.data));
    }
  });

  const shapes: [string, number[]][] = [
    ['another width', [2, 6, 4]],
    ['no time', [2, 5]],
  ];
  it.each(shapes)('refuses %s', async (_, shape) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    writeFileSync(at('x.npz'), writeNpz([['x', { shape, data }]]));
    const result = await gatefold('run', small, '--input', at('x.npz'), '-o', at('y.npz'));
    expect(result.status).toBeGreaterThan(0);
    expect(result.stderr).toContain('INPUT_SHAPE');
    expect(existsSync(at('y.npz'))).toBe(false);
  });
});

describe('compare', () => {
  it('tells how two models differ', async () => {
    await json('quantize', small, '-o', at('8.gatefold'));
    writeInput('x.npz', 3, 7);
    const result = await json(
      'compare',
      small,
      at('8.gatefold'),
      '--data',
      at('x.npz'),
      '--task',
      'label',
      '--drift',
      '30',
    );
    expect(result).toMatchObject({
      a: { name: 'small.gatefold', file: small },
      b: { name: '8.gatefold', file: at('8.gatefold') },
      ratios: { macs: 1 },
    });
    expect(result.agreement).toBeGreaterThan(0.5);
    expect(result.maxAbsDifference).toBeGreaterThan(0);
    expect((result.drift as unknown as { step: number }[]).map(({ step }) => step)).toEqual([1, 3, 10, 30]);
  });
});

it('prints the schema of recipes', async () => {
  const { status, stdout } = await gatefold('schema');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ type: 'object' });
});

it("reports the data's own metrics beside those of the task", async () => {
  writeFileSync(
    at('d.mjs'),
    `export default { name: 'made', task: 'label', count: 1, inputs: { x: { shape: [1, 2, 5], data: new Float32Array(10) } },
       targets: { shape: [1, 2], data: Float32Array.of(0, 1) } };
     export const evaluate = (model) => ({ steadiness: 0.875, rows: model.run(new Float32Array(15)).y.shape[1] });`,
  );
  const result = (await json('eval', small, '--data', at('d.mjs'))) as unknown as { metrics: object; own: string[] };
  expect(result.metrics).toMatchObject({ total: 2, steadiness: 0.875, rows: 3 });
  expect(result.own).toEqual(['steadiness', 'rows']);
  const { stdout } = await gatefold('compare', small, small, '--data', at('d.mjs'), '--html', at('r.html'));
  expect(stdout).toMatch(/accuracy.*steadiness.*rows/);
  expect(readFileSync(at('r.html'), 'utf8')).toContain('0.87500');
});

it('needs targets, or metrics of the data, to evaluate', async () => {
  writeInput('x.npz', 3, 7);
  expect(await gatefold('eval', small, '--data', at('x.npz'))).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('nothing to measure'),
  });
});

describe('refusals leave nothing behind', () => {
  /** Status, code, and the arguments in a folder with small.gatefold, garbage.h5, taken.gatefold and bad.yaml. */
  const table: [string, number, string, () => string[]][] = [
    ['an unknown file', 3, 'FILE_READ', () => ['quantize', at('none.h5'), '-o', at('out.gatefold')]],
    ['a folder as a file', 3, 'FILE_READ', () => ['inspect', folder]],
    ['garbage', 3, 'FILE_FORMAT', () => ['quantize', at('garbage.h5'), '-o', at('out.gatefold')]],
    ['a model cut off', 3, 'FILE_TRUNCATED', () => ['convert', at('cut.gatefold'), '-o', at('out.gatefold')]],
    ['an existing output', 2, 'FILE_EXISTS', () => ['quantize', small, '-o', at('taken.gatefold')]],
    ['an existing output of run', 2, 'FILE_EXISTS', () => ['run', small, '--input', at('x.npz'), '-o', small]],
    ['an existing page', 2, 'FILE_EXISTS', () => ['quantize', small, '-o', at('out.gatefold'), '--html', small]],
    ['bits out of range', 2, 'from 1 to 16', () => ['quantize', small, '--bits', '17', '-o', at('out.gatefold')]],
    ['bits in words', 2, 'whole number', () => ['quantize', small, '--bits', 'few', '-o', at('out.gatefold')]],
    ['an unknown scheme', 2, 'scheme', () => ['quantize', small, '--scheme', 'best', '-o', at('out.gatefold')]],
    ['a mixed entry without bits', 2, '--mixed', () => ['quantize', small, '--mixed', 'U', '-o', at('out.gatefold')]],
    ['no output', 2, '--output', () => ['quantize', small]],
    ['an unknown command', 2, 'unknown command', () => ['shrink', small]],
    ['neither recipe nor preset', 2, 'OPTION_INVALID', () => ['compress', small, '-o', at('out.gatefold')]],
    [
      'a bad recipe',
      2,
      'RECIPE_INVALID',
      () => ['compress', small, '--recipe', at('bad.yaml'), '-o', at('out.gatefold')],
    ],
    ['an output in a file', 1, 'FILE_WRITE', () => ['convert', small, '-o', at('garbage.h5', 'out.gatefold')]],
    [
      'a pass without the data it needs',
      2,
      '--calibrate',
      () => ['quantize', small, '--bias-correction', '-o', at('out.gatefold')],
    ],
    ['missing data', 3, 'FILE_READ', () => ['eval', small, '--data', at('none.npz')]],
  ];
  it.each(table)('%s', async (_, status, text, args) => {
    writeFileSync(at('garbage.h5'), 'neither HDF5 nor anything else');
    writeFileSync(at('cut.gatefold'), readFileSync(small).subarray(0, -100));
    writeFileSync(at('taken.gatefold'), 'taken');
    writeFileSync(at('bad.yaml'), 'version: 1\nsteps:\n  - pass: shrink\n');
    const before = readdirSync(folder);
    const result = await gatefold(...args());
    expect(result).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(text) });
    expect(readdirSync(folder)).toEqual(before);
    expect(readFileSync(at('taken.gatefold'), 'utf8')).toBe('taken');
    expect(readFileSync(small)).toEqual(Buffer.from(writeGatefold(model)));
  });

  it('as a JSON document too', async () => {
    const { status, stdout } = await gatefold('inspect', at('none.h5'), '--json');
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'FILE_READ', place: at('none.h5') } });
  });
});
