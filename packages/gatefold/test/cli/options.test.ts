import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGatefold, writeGatefold } from '@gatefold/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { Context, exitCodeOf } from '../../src/cli/context.ts';
import { Progress } from '../../src/cli/progress.ts';
import { writeNpz } from '../../src/data/npz.ts';
import { writeFiles } from '../../src/node/index.ts';
import { command as gatefold } from './gatefold.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatefold-options-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const model = at('m.gatefold');
const out = at('out.gatefold');
writeFileSync(model, writeGatefold(smallModel(7, cellChoices.lstm!, { features: 5, units: 8 })));
writeFileSync(at('d.csv'), 'x,y\n1,0\n');
writeFileSync(at('d.npz'), writeNpz([['x', { shape: [2, 3, 5], data: new Float32Array(30) }]]));
const noise = Float32Array.from({ length: 30 }, (_, i) => Math.sin(i * 7));
writeFileSync(at('noise.npz'), writeNpz([['x', { shape: [2, 3, 5], data: noise }]]));
writeFileSync(at('wide.npz'), writeNpz([['x', { shape: [2, 3, 6], data: new Float32Array(36) }]]));

describe('numbers', () => {
  const quantize = ['quantize', model, '-o', out];
  const table: [string, string[], string[]][] = [
    ['--drift', ['compare', model, model, '--data', at('d.npz')], ['abc', 'NaN', '-1', '1.5', '1e9', '']],
    ['--seed', ['inspect', model], ['-1', '0.5', 'x', '4294967296', 'Infinity']],
    ['--window', ['eval', model, '--data', at('d.csv')], ['0', '-3', '1.5', 'two', '0x10']],
    ['--split', ['eval', model, '--data', `${at('d.csv')}:test`], ['0.5', '0.9,0.2', 'a,b', '1,-1', '', '0.1,0.1,0.1']],
    ['--limit', ['eval', model, '--data', at('d.csv')], ['-5', '1', '2.5', '']],
    ['--bits', quantize, ['0', '17', '-4', '3.5', 'few', 'NaN']],
    ['--max-bytes', quantize, ['0', '-1', '1.5', 'NaN', '10k']],
    ['--max-drop', quantize, ['-1', 'NaN', 'Infinity', '1,5', '']],
    ['--rate', ['bench', model], ['0', '-1', 'NaN', '48k']],
    ['--progressive', quantize, ['0', '9', '8,', '4;3', '']],
    ['--temperature', quantize, ['0', '-1', 'hot']],
    ['--search', quantize, ['agreement=1.5', 'agreement', 'divergence=-1', 'loss=3', '', '0.99']],
    ['--assert', ['bench', model, model], ['0', '-2', 'NaN', '2x']],
  ];
  const all = table.flatMap(([option, args, values]) => values.map((value) => [option, value, args] as const));
  it.each(all)('%s %j is refused', async (option, value, args) => {
    const result = await gatefold(...args, `${option}=${value}`, '--json');
    expect(result).toMatchObject({ status: 2, stderr: '' });
    expect(JSON.parse(result.stdout).error).toMatchObject({ code: 'OPTION_INVALID', place: option });
    expect(existsSync(out)).toBe(false);
  });

  it.each(['U/forget=0', 'U/forget=17', 'U/forget=x', 'U/forget', '=4'])('--mixed %s is refused', async (value) => {
    expect(await gatefold(...quantize, '--mixed', value)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--mixed'),
    });
  });

  it.each([['--normalize'], ['--progressive=8,4'], ['--temperature=1'], ['--hold-out=0.2']])(
    '%s is for --qat',
    async (option) => {
      expect(await gatefold(...quantize, option)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('--qat'),
      });
    },
  );

  it('--scheme of few bits leaves linear ones to --mixed', async () => {
    const done = await gatefold(...quantize, '--scheme', 'ternary', '--mixed', 'kernel=8', '--force', '--json');
    const { weights } = readGatefold(readFileSync(out));
    rmSync(out);
    expect(done.status).toBe(0);
    expect(weights['cell/U']!.encoding).toMatchObject({ kind: 'levels', scheme: 'ternary', bits: 2 });
    expect(weights.kernel!.encoding).toMatchObject({ kind: 'affine', bits: 8 });
  });

  it('--search needs data, and shows what it measured', async () => {
    expect(await gatefold(...quantize, '--search', 'divergence=0.1')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--calibrate'),
    });
    expect(await gatefold(...quantize, '--prefer', 'size')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--search'),
    });
    const lite = [
      'quantize',
      model,
      '-o',
      at('out.tflite'),
      '--search',
      'divergence=0.1',
      '--calibrate',
      at('noise.npz'),
    ];
    expect(await gatefold(...lite)).toMatchObject({ status: 2, stderr: expect.stringContaining('TensorFlow Lite') });
    const search = [...quantize, '--search', 'divergence=0.1', '--calibrate', at('noise.npz'), '--force'];
    const shown = await gatefold(...search);
    expect(shown.stdout).toMatch(/weight alone +coded +bytes +agrees +divergence/);
    expect(shown.stdout).toMatch(/cell\/W +f32/);
    const [step] = JSON.parse((await gatefold(...search, '--json')).stdout).steps;
    expect(step.search.divergence).toBeLessThanOrEqual(0.1);
    expect(step.search.sensitivities.length).toBeGreaterThan(20);
    rmSync(out);
  });

  it('of the right kind are taken', async () => {
    const drift = await gatefold('compare', model, model, '--data', at('d.npz'), '--drift', '3', '--json');
    expect(JSON.parse(drift.stdout).drift).toHaveLength(2);
    const none = await gatefold('compare', model, model, '--data', at('d.npz'), '--drift', '0', '--json');
    expect(JSON.parse(none.stdout).drift).toBeNull();
  });
});

describe('wrong use', () => {
  const table: [string, number, string, string[]][] = [
    ['compare of one model', 2, 'OPTION_INVALID', ['compare', model]],
    ['a ratio of one model', 2, 'OPTION_INVALID', ['bench', model, '--assert', '2']],
    ['a column of arrays', 2, '--column', ['eval', model, '--data', at('d.npz'), '--column', 'y']],
    ['a split of everything', 2, '--split', ['eval', model, '--data', at('d.csv'), '--split', '0.5,0.5']],
    ['a report over the model', 2, '--html', ['quantize', model, '-o', out, '--html', out]],
    ['an unknown option', 2, 'OPTION_INVALID', ['inspect', model, '--colour']],
    ['an unknown task', 2, 'OPTION_INVALID', ['eval', model, '--data', at('d.npz'), '--task', 'guess']],
    ['a missing option', 2, 'OPTION_INVALID', ['eval', model]],
    ['data that do not fit', 3, 'DATA_INVALID', ['eval', model, '--data', at('wide.npz')]],
    ['arrays that do not fit', 3, 'INPUT_SHAPE', ['run', model, '--input', at('wide.npz'), '-o', at('y.npz')]],
    ['a folder as data', 3, 'DATA_INVALID', ['eval', model, '--data', folder]],
    ['an architecture that is missing', 3, 'arch.json', ['compare', model, model, '--arch', at('arch.json')]],
  ];
  it.each(table)('%s', async (_, status, word, args) => {
    const result = await gatefold(...args, '--json');
    expect(result.status).toBe(status);
    const { error } = JSON.parse(result.stdout);
    expect(`${error.message}`).toContain(word);
  });
});

describe('progress', () => {
  const watch = (isTTY: boolean, silent = false) => {
    const clock = { now: 0 };
    const lines: [number, string][] = [];
    const stream = { isTTY, columns: 40, write: (text: string) => lines.push([clock.now, text]) };
    return { clock, lines, progress: new Progress(silent, stream, () => clock.now) };
  };

  it('is a line every few seconds where there is no terminal, and none for short work', () => {
    const { clock, lines, progress } = watch(false);
    for (let i = 1; i <= 200; i++) {
      clock.now += 100;
      progress.update(i % 40, 40, `part ${Math.floor(i / 40)}`);
    }
    progress.update(40, 40, 'part 4');
    progress.done();
    expect(lines.length).toBeGreaterThan(2);
    for (const [i, [time, text]] of lines.entries()) {
      expect(time - (lines[i - 1]?.[0] ?? 0)).toBeGreaterThanOrEqual(5000);
      expect(text).toMatch(/^part \d: \d+ %\n$/);
    }
    const short = watch(false);
    short.progress.update(1, 1, 'quick');
    expect(short.lines).toEqual([]);
  });

  it('is a bar of one line on a terminal, which is removed', () => {
    const { clock, lines, progress } = watch(true);
    clock.now = 100;
    progress.update(1, 2, 'a piece of work with a very long name');
    progress.done();
    expect(lines[0]![1].startsWith('\r\x1b[K█')).toBe(true);
    expect(lines[0]![1]).toMatch(/█+░+ {2}50 % {2}a/);
    expect(lines[0]![1].length).toBeLessThanOrEqual(4 + 39);
    expect(lines[1]![1]).toBe('\r\x1b[K');
  });

  it('is silent when told to be', () => {
    for (const terminal of [true, false]) {
      const { clock, lines, progress } = watch(terminal, true);
      clock.now = 1e6;
      progress.update(1, 2, 'work');
      progress.done();
      expect(lines).toEqual([]);
    }
  });
});

describe('writing', () => {
  const files = () => readdirSync(folder).filter((name) => /^(a|b)\.bin|\.tmp$/.test(name));

  it('leaves nothing of files that belong together where it is interrupted', async () => {
    const interrupt = new AbortController();
    const parts = function* (): Generator<[string, Uint8Array]> {
      yield [at('a.bin'), new Uint8Array(1000)];
      interrupt.abort();
      yield [at('b.bin'), new Uint8Array(2 ** 24)];
    };
    await expect(writeFiles(parts(), false, interrupt.signal)).rejects.toMatchObject({ name: 'AbortError' });
    expect(files()).toEqual([]);
  });

  it('leaves nothing where the last cannot be written', async () => {
    await expect(
      writeFiles(
        [
          [at('a.bin'), 'a'],
          [join(model, 'b.bin'), 'b'],
        ],
        false,
      ),
    ).rejects.toMatchObject({ code: 'FILE_WRITE' });
    expect(files()).toEqual([]);
  });

  it('removes what is half written on an interrupt, and takes its handlers back', async () => {
    const before = process.listenerCount('SIGINT');
    const context = new Context({}, new AbortController().signal);
    const parts = function* (): Generator<[string, Uint8Array]> {
      yield [at('a.bin'), new Uint8Array(1000)];
      process.emit('SIGINT');
      yield [at('b.bin'), new Uint8Array(1000)];
    };
    const error = await context.save(parts()).catch((reason: unknown) => reason);
    expect(exitCodeOf(error)).toBe(130);
    expect(files()).toEqual([]);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});
