import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSession, FrontEnd, frontEndOptions, readGatefold } from '@gatefold/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { randomSource } from '../../../runtime/test/support/random.ts';
import { readNpz } from '../../src/data/npz.ts';
import { readWav } from '../../src/data/wav.ts';
import { toneOf, wavOf } from '../support/wav.ts';
import { gatefold } from './gatefold.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatefold-sounds-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]) => join(folder, ...names);

/** Rising, falling and steady pairs of tones: which it is can only be heard over time. */
const kinds = { rising: [500, 1500], falling: [1500, 500], steady: [900, 900] };
const random = randomSource(2);
for (const [part, count] of [
  ['train', 24],
  ['test', 8],
] as const) {
  for (const [label, tones] of Object.entries(kinds)) {
    mkdirSync(at('tones', part, label), { recursive: true });
    for (let i = 0; i < count; i++) {
      const length = 900 + Math.floor(500 * random());
      const samples = tones.flatMap((hertz) => [...toneOf(hertz * (0.9 + 0.2 * random()), length, random)]);
      writeFileSync(at('tones', part, label, `${i}.wav`), wavOf(samples));
    }
  }
}
mkdirSync(at('tones', 'train', '_background_noise_'));
writeFileSync(at('tones', 'train', 'README.txt'), 'no sound');
const arrays = (path: string) => readNpz(new Uint8Array(readFileSync(path)));

describe('sounds on the command line', () => {
  it('are learnt, measured and run, at once and as they come', async () => {
    const data = ['--data', `${at('tones')}:train`, '--valid', `${at('tones')}:test`];
    const training = ['--epochs', '8', '--rate', '0.02', '--batch', '12', '--front-end', 'mel:16'];
    const made = await gatefold('train', '--arch', 'gru:12 dense', ...data, ...training, '-o', at('m.gatefold'));
    expect(made).toMatchObject({ status: 0, json: { metrics: { total: 24 } } });
    const { accuracy } = made.json.metrics as { accuracy: number };
    expect(accuracy).toBeGreaterThan(0.9);
    const measured = await gatefold('eval', at('m.gatefold'), '--data', at('tones', 'test'));
    expect(measured.json.metrics).toEqual(made.json.metrics);
    const model = readGatefold(new Uint8Array(readFileSync(at('m.gatefold'))));
    expect(model.metadata.labels).toEqual(['falling', 'rising', 'steady']);

    const ran = await gatefold('run', at('m.gatefold'), '--input', at('tones', 'test', 'rising'), '-o', at('y.npz'));
    const sounds = ran.json.sounds as { name: string; said: string }[];
    expect(sounds.map(({ name }) => name)).toEqual([
      '0.wav',
      '1.wav',
      '2.wav',
      '3.wav',
      '4.wav',
      '5.wav',
      '6.wav',
      '7.wav',
    ]);
    expect(sounds.filter(({ said }) => said === 'rising').length).toBeGreaterThan(6);
    expect(arrays(at('y.npz')).get('y')!.shape).toEqual([8, 3]);

    // A microphone: samples come in pieces, features go into a stream as they are due.
    const file = at('tones', 'test', 'rising', '3.wav');
    await gatefold('run', at('m.gatefold'), '--input', file, '--steps', '-o', at('steps.npz'));
    const session = createSession(model);
    const stream = session.stream();
    const frontEnd = new FrontEnd(frontEndOptions(model)!);
    const heard: number[] = [];
    const { samples } = readWav(new Uint8Array(readFileSync(file)), file);
    for (let from = 0; from < samples.length; from += 128) {
      frontEnd.push(samples.subarray(from, from + 128), (features) => heard.push(...stream.step(features)!));
    }
    expect(Float32Array.from(heard)).toEqual(arrays(at('steps.npz')).get('y')!.data);
    expect(Float32Array.from(heard.slice(-3))).toEqual(arrays(at('y.npz')).get('y')!.data.slice(9, 12));
  });

  it('are named by a table, and parted at random', async () => {
    const rows = ['rising', 'falling'].flatMap((label) =>
      [0, 1, 2, 3, 4].map((i) => `tones/test/${label}/${i}.wav,${label}`),
    );
    writeFileSync(at('list.csv'), `path,label\n${rows.join('\n')}\n`);
    expect(await gatefold('eval', at('m.gatefold'), '--data', at('list.csv'))).toMatchObject({
      json: { examples: 10 },
    });
    const part = await gatefold('eval', at('m.gatefold'), '--data', `${at('tones', 'train')}:valid`);
    expect(part).toMatchObject({ status: 0, json: { examples: 7, data: 'train:valid' } });
  });

  it('without places of their labels are transcribed', async () => {
    const lines = Object.keys(kinds).flatMap((label) =>
      Array.from({ length: 24 }, (_, i) =>
        JSON.stringify({
          path: `tones/train/${label}/${i}.wav`,
          text: { rising: 'lh', falling: 'hl', steady: 'm' }[label],
        }),
      ),
    );
    writeFileSync(at('said.jsonl'), lines.join('\n'));
    const training = [
      '--epochs',
      '25',
      '--rate',
      '0.03',
      '--batch',
      '12',
      '--front-end',
      'mel:16',
      '--hold-out',
      '0.2',
    ];
    const made = await gatefold(
      'train',
      '--arch',
      'gru:16 dense',
      '--data',
      at('said.jsonl'),
      ...training,
      '-o',
      at('t.gatefold'),
    );
    expect((made.json.metrics as { labelErrorRate: number }).labelErrorRate).toBeLessThan(0.15);
    const ran = await gatefold('run', at('t.gatefold'), '--input', at('tones', 'test', 'falling'), '-o', at('z.npz'));
    expect((ran.json.sounds as { said: string }[]).filter(({ said }) => said === 'hl').length).toBeGreaterThan(5);
    expect([...arrays(at('z.npz')).keys()]).toContain('y[7]');
  });

  it.each([
    [
      'a model without a front end',
      /does not say how sounds/,
      () => ['eval', at('plain.gatefold'), '--data', at('tones', 'test')],
    ],
    [
      'the same, run',
      /does not say how sounds/,
      () => ['run', at('plain.gatefold'), '--input', at('tones', 'test'), '-o', at('n.npz')],
    ],
    [
      'an option for sounds',
      /--front-end/,
      () => ['train', '--arch', 'gru:4 dense', '--data', at('d.csv'), '--front-end', 'mel:8', '-o', at('n.gatefold')],
    ],
    [
      'a folder without classes',
      /no labels to learn.*sub-folder/,
      () => ['train', '--arch', 'gru:4 dense', '--data', at('tones', 'test', 'rising'), '-o', at('n.gatefold')],
    ],
    [
      'a folder of folders',
      /holds no .wav files/,
      () => ['train', '--arch', 'gru:4 dense', '--data', at('tones'), '-o', at('n.gatefold')],
    ],
    ['classes beside recordings', /with and without a class/, () => ['eval', at('m.gatefold'), '--data', at('mixed')]],
    ['a recording that is not there', /FILE_READ/, () => ['eval', at('m.gatefold'), '--data', at('gone.csv')]],
  ])('are refused: %s', async (_, message, args) => {
    writeFileSync(at('d.csv'), `a,b\n${'1,0\n2,1\n'.repeat(20)}`);
    await gatefold(
      'train',
      '--arch',
      'rnn:4 dense',
      '--data',
      at('d.csv'),
      '--window',
      '4',
      '--epochs',
      '1',
      '-o',
      at('plain.gatefold'),
      '--force',
    );
    mkdirSync(at('mixed', 'one'), { recursive: true });
    for (const name of ['mixed/a.wav', 'mixed/one/a.wav']) writeFileSync(at(name), wavOf(new Float32Array(400)));
    writeFileSync(at('gone.csv'), 'path,label\nnowhere.wav,rising\n');
    const { status, json } = await gatefold(...args());
    expect(status).toBeGreaterThan(0);
    expect(JSON.stringify(json)).toMatch(message);
  });
});
