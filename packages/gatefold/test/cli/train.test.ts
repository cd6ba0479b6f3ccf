import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGatefold } from '@gatefold/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { randomSource } from '../../../runtime/test/support/random.ts';
import { writeNpz } from '../../src/data/npz.ts';
import { bestBuild, readCheckpoint, writeCheckpoint } from '../../src/train/index.ts';
import { command, gatefold } from './gatefold.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatefold-train-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

/** Whether the first step was above zero. */
const random = randomSource(5);
const x = Float32Array.from({ length: 240 * 6 }, () => random() - 0.5);
const y = Float32Array.from({ length: 240 }, (_, i) => Number(x[i * 6]! > 0));
writeFileSync(
  at('d.npz'),
  writeNpz([
    ['x', { shape: [240, 6, 1], data: x }],
    ['y', { shape: [240], data: y }],
  ]),
);

const fresh = ['train', '--arch', 'lstm:8 dense', '--data', at('d.npz'), '--task', 'classify', '--batch', '8'];

describe('training from the command line', () => {
  it('makes a model, tunes it, and keeps the codes of one that is quantized', async () => {
    const options = ['--epochs', '12', '--rate', '0.02', '--log', at('log.jsonl')];
    const made = await gatefold(...fresh, ...options, '-o', at('m.gatefold'));
    expect(made).toMatchObject({ status: 0, json: { metrics: { total: 24 } } });
    expect((made.json.metrics as { accuracy: number }).accuracy).toBeGreaterThan(0.9);
    expect(existsSync(at('m.gatefold.checkpoint'))).toBe(false);
    const log = readFileSync(at('log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(log.filter(({ kind }) => kind === 'epoch')).toHaveLength(12);
    expect(log.filter(({ kind }) => kind === 'step')).toHaveLength(12 * 27);

    await gatefold('quantize', at('m.gatefold'), '--bits', '4', '-o', at('q.gatefold'));
    const data = ['--data', at('d.npz'), '--task', 'classify', '--epochs', '2'];
    const tuned = await gatefold('finetune', at('q.gatefold'), ...data, '-o', at('t.gatefold'));
    // Without --valid a tenth judges, and is not learnt from.
    const judged = { before: { accuracy: expect.any(Number) }, metrics: { total: 24 }, steps: 2 * Math.ceil(216 / 32) };
    expect(tuned).toMatchObject({ status: 0, json: judged });
    const [before, after] = ['q', 't'].map((name) =>
      readGatefold(new Uint8Array(readFileSync(at(`${name}.gatefold`)))),
    );
    expect(after!.weights['lstm/U']!.encoding).toMatchObject({ kind: 'affine', bits: 4 });
    expect(after!.weights['lstm/b']!.encoding).not.toEqual(before!.weights['lstm/b']!.encoding);
  });

  it('takes the network of a file: new weights by the seed, the same labels and symbols', async () => {
    const data = fresh.slice(3);
    // As Keras' to_json() gives it, with no softmax of its own.
    const [input, lstm, dense] = [
      { class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, null, 1] } },
      { class_name: 'LSTM', config: { name: 'lstm', trainable: true, units: 8 } },
      { class_name: 'Dense', config: { name: 'dense', trainable: true, units: 2 } },
    ];
    const json = { class_name: 'Sequential', config: { name: 'net', layers: [input, lstm, dense] } };
    writeFileSync(at('net.json'), JSON.stringify(json));
    const options = [...data, '--epochs', '12', '--rate', '0.02'];
    const made = await gatefold('train', '--arch', at('net.json'), ...options, '-o', at('k.gatefold'));
    expect((made.json.metrics as { accuracy: number }).accuracy).toBeGreaterThan(0.9);

    // A model that has learnt, was coded and is named after what was done to it: nothing of it stays but the network.
    await gatefold('quantize', at('k.gatefold'), '--bits', '4', '-o', at('kq.gatefold'));
    const again = await gatefold('train', '--arch', at('kq.gatefold'), ...options, '-o', at('k2.gatefold'));
    expect(again.json.epochs).toEqual(
      (made.json.epochs as object[]).map((epoch) => ({ ...epoch, seconds: expect.any(Number) })),
    );
    const [first, second] = ['k', 'k2'].map((name) =>
      readGatefold(new Uint8Array(readFileSync(at(`${name}.gatefold`)))),
    );
    expect(second).toEqual({ ...first, name: second!.name });
    const other = await gatefold('train', '--arch', at('net.json'), ...options, '--seed', '2', '-o', at('k3.gatefold'));
    expect((other.json.epochs as { loss: number }[])[0]!.loss).not.toBe(
      (made.json.epochs as { loss: number }[])[0]!.loss,
    );
  });

  it('learns from all and keeps the last epoch, where nothing is held out', async () => {
    const made = await gatefold(...fresh, '--epochs', '2', '--hold-out', '0', '-o', at('all.gatefold'));
    expect(made).toMatchObject({ status: 0, json: { steps: 2 * 30, metrics: { total: 240 } } });
    expect(made.json.epochs).toMatchObject([
      { epoch: 1, best: false },
      { epoch: 2, best: false },
    ]);
  });

  it('interrupted and resumed gives the file of a run that was not', async () => {
    const options = ['--epochs', '6', '--dropout', '0.1'];
    await gatefold(...fresh, ...options, '-o', at('whole.gatefold'));
    const cut = gatefold(...fresh, ...options, '-o', at('cut.gatefold'));
    while (!existsSync(at('cut.gatefold.checkpoint'))) await new Promise((resolve) => setTimeout(resolve, 2));
    process.emit('SIGINT');
    expect(await cut).toMatchObject({ status: 130, json: { interrupted: true } });
    expect(existsSync(at('cut.gatefold'))).toBe(false);
    const left = readCheckpoint(readFileSync(at('cut.gatefold.checkpoint')));
    expect(left.engine).toBe(bestBuild());
    writeFileSync(at('other.checkpoint'), writeCheckpoint({ ...left, engine: 'other' }));
    const other = ['--checkpoint', at('other.checkpoint'), '--resume', '-o', at('other.gatefold')];
    const told = await command(...fresh, ...options, ...other);
    expect(told).toMatchObject({ status: 0, stderr: expect.stringContaining('made by the other kernels') });
    const rest = await gatefold(...fresh, ...options, '-o', at('cut.gatefold'), '--resume');
    expect(rest.status).toBe(0);
    expect(readFileSync(at('cut.gatefold'))).toEqual(readFileSync(at('whole.gatefold')));
  });

  it('says at once that a log cannot be written, and keeps what was learnt', async () => {
    const nowhere = await gatefold(...fresh, '-o', at('log.gatefold'), '--log', at('no/folder/log.jsonl'));
    expect(nowhere).toMatchObject({
      status: 1,
      json: { error: { code: 'FILE_WRITE', place: at('no/folder/log.jsonl') } },
    });
    expect(existsSync(at('log.gatefold.checkpoint'))).toBe(false);
  });

  it.runIf(existsSync('/dev/full'))('stops where a log is full', async () => {
    const full = await gatefold(...fresh, '--epochs', '400', '-o', at('full.gatefold'), '--log', '/dev/full');
    const hint = expect.stringContaining('--resume');
    expect(full).toMatchObject({ status: 1, json: { error: { code: 'FILE_WRITE', place: '/dev/full', hint } } });
    expect(existsSync(at('full.gatefold.checkpoint'))).toBe(true);
    expect(existsSync(at('full.gatefold'))).toBe(false);
  });

  it('refuses what cannot be', async () => {
    const refused = async (...args: string[]) => (await gatefold(...args)).json.error;
    const out = ['-o', at('no.gatefold')];
    expect(await refused(...fresh.slice(0, 1), ...fresh.slice(3), ...out)).toMatchObject({ code: 'OPTION_INVALID' });
    expect(await refused(...fresh, ...out, '--resume')).toMatchObject({ code: 'FILE_READ' });
    expect(await refused('train', '--arch', 'lstn:8 dense', ...fresh.slice(3), ...out)).toMatchObject({
      found: 'lstn:8',
    });
    expect(await refused('quantize', at('m.gatefold'), '--qat', ...out)).toMatchObject({ place: '--qat' });
    expect(existsSync(at('no.gatefold'))).toBe(false);
  });
});
