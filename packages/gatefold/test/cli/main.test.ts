import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpz, writeNpz } from '../../src/data/npz.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const model = join(root, 'examples/digits/model/digits-lstm128.h5');
const folder = mkdtempSync(join(tmpdir(), 'gatefold-cli-'));
const at = (name: string) => join(folder, name);

function gatefold(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'packages/gatefold/dist/cli/main.js'), ...args],
    { encoding: 'utf8' },
  );
  return { status, stdout, stderr };
}

// The command is tested as it is shipped.
beforeAll(() => {
  spawnSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-changed'], { stdio: 'inherit' });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the command', { timeout: 60_000 }, () => {
  it('inspects', () => {
    const about = JSON.parse(gatefold('inspect', model, '--json').stdout);
    expect(about).toMatchObject({
      format: 'keras',
      formatVersion: '2.15.0',
      parameters: 81_674,
      macsPerStep: 81_152,
      streams: true,
    });
    expect(about.nodes[0]).toMatchObject({ name: 'lstm', op: 'recurrent', cell: 'lstm', units: 128 });
    expect(gatefold('inspect', model).stdout).toContain('81,674 parameters');
  });

  it('quantizes, refuses to overwrite, overwrites when told to', () => {
    const out = at('small.gatefold');
    const first = gatefold('quantize', model, '--bits', '8', '-o', out, '--json');
    expect(first.status).toBe(0);
    const result = JSON.parse(first.stdout);
    expect(result.ratios.float32).toBeGreaterThan(3.6);
    expect(result.steps[0]).toMatchObject({ pass: 'quantize' });
    const bytes = readFileSync(out);
    expect(gatefold('quantize', model, '--bits', '4', '-o', out)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('FILE_EXISTS'),
    });
    expect(readFileSync(out)).toEqual(bytes);
    expect(gatefold('quantize', model, '--bits', '4', '-o', out, '--force').status).toBe(0);
    expect(readFileSync(out).length).toBeLessThan(bytes.length);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('runs on arrays, whole and step by step, with the same numbers', () => {
    const data = Float32Array.from({ length: 2 * 28 * 28 }, (_, i) => Math.abs(Math.sin(i)));
    writeFileSync(at('x.npz'), writeNpz([['rows', { shape: [2, 28, 28], data }]]));
    expect(gatefold('run', model, '--input', at('x.npz'), '-o', at('y.npz')).status).toBe(0);
    expect(gatefold('run', model, '--input', at('x.npz'), '-o', at('steps.npz'), '--steps').status).toBe(0);
    const whole = readNpz(readFileSync(at('y.npz'))).get('digit')!;
    const steps = readNpz(readFileSync(at('steps.npz'))).get('digit')!;
    expect(whole.shape).toEqual([2, 10]);
    expect(steps.shape).toEqual([2, 28, 10]);
    expect(Array.from(steps.data as Float32Array).slice(270, 280)).toEqual(
      Array.from(whole.data as Float32Array).slice(0, 10),
    );
  });

  it('evaluates a module, and compares', { timeout: 180_000 }, () => {
    const data = `${join(root, 'examples/digits/data.mjs')}:test`;
    const result = JSON.parse(gatefold('eval', model, '--data', data, '--json').stdout);
    expect(result).toMatchObject({ task: 'classify', examples: 10_000, metrics: { correct: 9927 } });
    gatefold('compress', model, '--preset', 'int4', '-o', at('four.gatefold'));
    const compared = JSON.parse(
      gatefold('compare', model, at('four.gatefold'), '--data', data, '--json', '--html', at('r.html')).stdout,
    );
    expect(compared.agreement).toBeGreaterThan(0.99);
    expect(Object.keys(compared)).toEqual(
      expect.arrayContaining(['a', 'b', 'maxAbsDifference', 'meanKl', 'drift', 'ratios']),
    );
    const page = readFileSync(at('r.html'), 'utf8');
    expect(page).toContain('<svg');
    expect(page).not.toMatch(/(src|href)=["']?https?:/);
  });

  const refusals: [string, string[], number, string][] = [
    ['a missing file', ['inspect', 'nowhere.h5'], 3, 'FILE_READ'],
    ['a file of another kind', ['inspect', join(root, 'README.md')], 3, 'FILE_FORMAT'],
    ['an unknown option', ['inspect', model, '--colour'], 2, 'unknown option'],
    ['bits out of range', ['quantize', model, '--bits', '0', '-o', at('never.gatefold')], 2, 'OPTION_INVALID'],
    ['an unknown target', ['quantize', model, '--target', 'gru/U', '-o', at('never.gatefold')], 2, 'TARGET_EMPTY'],
    ['an unknown preset', ['compress', model, '--preset', 'tiny', '-o', at('never.gatefold')], 2, 'OPTION_INVALID'],
    ['an output format that cannot be written', ['convert', model, '-o', at('never.csv')], 2, 'OPTION_INVALID'],
    ['an unwritable output', ['convert', model, '-o', '/proc/nowhere/never.gatefold'], 1, 'FILE_WRITE'],
    ['a size that is missed', ['quantize', model, '--max-bytes', '1000', '-o', at('large.gatefold')], 4, 'GOAL_MISSED'],
    ['a drop without data', ['quantize', model, '--max-drop', '1', '-o', at('never.gatefold')], 2, 'OPTION_INVALID'],
  ];
  it.each(refusals)('answers %s', (_, args, status, text) => {
    const result = gatefold(...args);
    expect(result).toMatchObject({ status, stderr: expect.stringContaining(text) });
    expect(existsSync(at('never.gatefold'))).toBe(false);
  });
});
