import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, readGatefold, writeGatefold } from '@gatefold/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpz } from '../../src/data/npz.ts';
import { modelFor, train } from '../../src/train/index.ts';
import { recall } from '../support/tasks.ts';
import { gatefold } from './gatefold.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatefold-prune-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const data = recall(240, 1);
const read = (name: string) => readGatefold(new Uint8Array(readFileSync(at(name))));

beforeAll(async () => {
  const { model } = await train(modelFor('lstm:32 dense', data), data, {
    ...{ epochs: 12, batch: 16 },
    optimizer: { name: 'adam', rate: 0.02, clipNorm: 1 },
  });
  writeFileSync(at('m.gatefold'), writeGatefold(model));
  writeFileSync(
    at('d.npz'),
    writeNpz([
      ['x', data.inputs.x!],
      ['y', data.targets!],
    ]),
  );
}, 60_000);

const prune = (...options: string[]) =>
  gatefold('prune', at('m.gatefold'), '--data', at('d.npz'), '--task', 'classify', ...options);
const refused = async (...options: string[]) => {
  const { status, json } = await prune(...options);
  expect(status).toBeGreaterThan(0);
  return json.error as { code: string; place?: string };
};

describe('pruning from the command line', () => {
  it('trains on a part of the data, measures on the rest, and writes a file that is smaller', async () => {
    const options = ['--sparsity', '0.8', '--epochs', '6', '--batch', '16', '--rate', '0.01', '--scope', 'measured'];
    const { status, json } = await prune(...options, '-o', at('p.gatefold'));
    expect(status).toBe(0);
    const b = json.b as { bytes: number; metrics: { total: number; accuracy: number } };
    expect(b.metrics.total).toBe(48);
    expect(b.metrics.accuracy).toBeGreaterThan(0.9);
    expect(b.bytes).toBeLessThan(0.45 * readFileSync(at('m.gatefold')).length);
    expect(existsSync(at('p.gatefold.checkpoint'))).toBe(false);
    // Codes of what is left.
    await gatefold('quantize', at('p.gatefold'), '--bits', '8', '-o', at('q.gatefold'));
    const zeros = (name: string) => decode(read(name).weights['lstm/U']!).filter((value) => value === 0).length;
    expect(zeros('q.gatefold')).toBeGreaterThanOrEqual(zeros('p.gatefold'));
    expect(readFileSync(at('q.gatefold')).length).toBeLessThan(readFileSync(at('p.gatefold')).length);
  });

  it('makes the vocabulary smaller, and reads texts by what is left', async () => {
    writeFileSync(at('t.txt'), 'abracadabra '.repeat(40));
    const train = ['--epochs', '1', '--batch', '2', '--bptt', '8', '-o', at('t.gatefold')];
    await gatefold('train', '--arch', 'embedding:4 lstm:8 dense', '--data', at('t.txt'), ...train);
    const options = ['--data', at('t.txt'), '--train', at('t.txt'), '--tokens', '4', '--unknown', ' '];
    const { status, json } = await gatefold('prune', at('t.gatefold'), ...options, '-o', at('v.gatefold'));
    expect(status).toBe(0);
    expect((json.b as { metrics: { accuracy: number } }).metrics.accuracy).toBeGreaterThan(0);
    expect(read('v.gatefold').metadata).toMatchObject({ vocabulary: [' ', 'a', 'b', 'r'], unknown: ' ' });
    const again = await gatefold('eval', at('v.gatefold'), '--data', at('t.txt'));
    expect(again.json).toMatchObject({ metrics: (json.b as { metrics: object }).metrics });
  });

  it('removes units, so that the model has fewer', async () => {
    const { status, json } = await prune('--units', '0.5', '--criterion', 'spectral', '-o', at('u.gatefold'));
    expect(status).toBe(0);
    expect(read('u.gatefold').weights['lstm/U']!.shape).toEqual([64, 16]);
    expect((json.b as { metrics: { accuracy: number } }).metrics.accuracy).toBeGreaterThan(0.8);
  });

  it('interrupted and resumed gives the file of a run that was not', async () => {
    const options = ['--sparsity', '0.5', '--epochs', '8', '--batch', '8'];
    await prune(...options, '-o', at('whole.gatefold'));
    const cut = prune(...options, '-o', at('cut.gatefold'));
    while (!existsSync(at('cut.gatefold.checkpoint'))) await new Promise((resolve) => setTimeout(resolve, 2));
    process.emit('SIGINT');
    expect(await cut).toMatchObject({ status: 130, json: { interrupted: true } });
    expect(existsSync(at('cut.gatefold'))).toBe(false);
    expect((await prune(...options, '--resume', '-o', at('cut.gatefold'))).status).toBe(0);
    expect(readFileSync(at('cut.gatefold'))).toEqual(readFileSync(at('whole.gatefold')));
  });

  it('an interrupted recipe goes on after the last step that was finished', async () => {
    const steps = [
      'pass: prune, sparsity: 0.5, train: { epochs: 3 }',
      'pass: quantize, bits: 8, train: { epochs: 8, batch: 8 }',
      'pass: finetune, epochs: 1',
    ];
    const recipe = (name: string, lines: readonly string[]) =>
      writeFileSync(at(name), `version: 1\nsteps:\n${lines.map((line) => `  - { ${line} }\n`).join('')}`);
    recipe('r.yaml', steps);
    recipe('other.yaml', steps.slice(1));
    const compress = (name: string, output: string, ...more: string[]) => {
      const data = ['--data', at('d.npz'), '--task', 'classify'];
      return gatefold('compress', at('m.gatefold'), '--recipe', at(name), ...data, '-o', at(output), ...more);
    };
    const whole = await compress('r.yaml', 'r-whole.gatefold');
    const cut = compress('r.yaml', 'r-cut.gatefold');
    const kept = at('r-cut.gatefold.checkpoint.steps');
    while (!existsSync(kept)) await new Promise((resolve) => setTimeout(resolve, 2));
    process.emit('SIGINT');
    expect(await cut).toMatchObject({ status: 130, json: { interrupted: true } });
    const finished = readGatefold(new Uint8Array(readFileSync(kept))).metadata.finishedSteps as {
      reports: { seconds: number }[];
    };
    expect(finished.reports).toHaveLength(1);

    const other = await compress('other.yaml', 'r-cut.gatefold', '--resume');
    expect(other.json.error).toMatchObject({ code: 'STATE_INVALID', place: kept });
    expect((await compress('r.yaml', 'r-cut.gatefold')).json.error).toMatchObject({ code: 'FILE_EXISTS' });
    const rest = await compress('r.yaml', 'r-cut.gatefold', '--resume');
    const [found, expected] = [rest, whole].map(({ json }) => json.steps as { seconds: number }[]);
    expect(found!.map((step) => ({ ...step, seconds: 0 }))).toEqual(expected!.map((step) => ({ ...step, seconds: 0 })));
    // The first step was not done again.
    expect(found![0]!.seconds).toBe(finished.reports[0]!.seconds);
    expect(readFileSync(at('r-cut.gatefold'))).toEqual(readFileSync(at('r-whole.gatefold')));
    expect(existsSync(kept)).toBe(false);
  });

  it('trains a new model with few weights from the first step on', async () => {
    const fresh = ['train', '--arch', 'lstm:32 dense', '--data', at('d.npz'), '--task', 'classify', '--batch', '16'];
    const how = ['--sparsity', '0.7', '--epochs', '20', '--rate', '0.02', '-o', at('sparse.gatefold')];
    const { status, json } = await gatefold(...fresh, ...how);
    expect(status).toBe(0);
    expect((json.metrics as { accuracy: number }).accuracy).toBeGreaterThan(0.85);
    const { shape, sparsity } = read('sparse.gatefold').weights['lstm/U']!;
    const values = decode(read('sparse.gatefold').weights['lstm/U']!);
    expect(sparsity?.block).toEqual([8, 4]);
    expect(values.filter((value) => value !== 0).length).toBeLessThan(0.32 * shape[0]! * shape[1]!);
  });

  it('scans what each gate can lose', async () => {
    const { status, json } = await prune('--scan', '0.5,0.9', '--html', at('scan.html'));
    expect(status).toBe(0);
    const report = json as unknown as { baseline: number; places: { place: string; values: number[] }[] };
    expect(report.places.map(({ place }) => place)).toEqual([
      ...['lstm/U', 'lstm/U/input', 'lstm/U/forget', 'lstm/U/output', 'lstm/U/candidate'],
    ]);
    for (const { values } of report.places)
      for (const value of values) expect(value).toBeLessThanOrEqual(report.baseline);
    expect(readFileSync(at('scan.html'), 'utf8')).toMatch(/<svg[\s\S]*lstm\/U\/candidate/);
  });

  it.each([
    [['-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--sparsity', '0.5'], 'OPTION_INVALID'],
    [['--sparsity', '0.5', '--schedule', 'cubic', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--units', '0.5', '--block', '8x4', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--tokens', '4', '--sparsity', '0.5', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--unknown', 'x', '--sparsity', '0.5', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--tokens', '2', '-o', 'o.gatefold'], 'TARGET_EMPTY'],
    [['--sparsity', '0.5', '--multiple', '8', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--sparsity', '0.5', '--no-compensate', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--units', '0.5', '--batch', '4', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--sparsity', '0.5', '--block', '8', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--sparsity', '0.5', '--target', 'nobody', '-o', 'o.gatefold'], 'TARGET_EMPTY'],
    [['--scan', '-o', 'o.gatefold'], 'OPTION_INVALID'],
    [['--scan', '1.5'], 'OPTION_INVALID'],
    [['--sparsity', '0.5', '--epochs', '1', '--resume', '-o', 'o.gatefold'], 'FILE_READ'],
  ])('%j is refused: %s', async (options, code) => {
    const paths = options.map((text) => (text === 'o.gatefold' ? at(text) : text));
    expect(await refused(...paths)).toMatchObject({ code });
    expect(existsSync(at('o.gatefold'))).toBe(false);
  });
});
