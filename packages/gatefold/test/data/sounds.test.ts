import { FrontEnd } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { randomSource } from '../../../runtime/test/support/random.ts';
import { parseFrontEndLine } from '../../src/data/front-end.ts';
import { fromSounds, type NamedSound, readManifest } from '../../src/data/index.ts';
import { readWav } from '../../src/data/wav.ts';
import { toneOf, wavOf } from '../support/wav.ts';

const random = randomSource(8);
const sound = (name: string, hertz: number, count: number, said: Partial<NamedSound>): NamedSound => ({
  ...{ name, bytes: wavOf(toneOf(hertz, count, random)) },
  ...said,
});
const tones = [
  sound('a.wav', 400, 3000, { label: 'low' }),
  sound('b.wav', 2500, 2500, { label: 'high' }),
  sound('c.wav', 420, 3000, { label: 'low' }),
];

describe('sounds', () => {
  it('become normalized features, with the bits that the front end gives from then on', async () => {
    const data = await fromSounds('tones', tones);
    expect(data).toMatchObject({ task: 'classify', count: 3, classes: ['high', 'low'] });
    expect([...data.targets!.data]).toEqual([1, 0, 1]);
    expect(data.inputs.x).toMatchObject({ shape: [3, 36, 40], lengths: [36, 29, 36] });
    const frontEnd = new FrontEnd(data.frontEnd!);
    expect(data.frontEnd).toMatchObject({ sampleRate: 8000, window: 200, hop: 80, fft: 256, melBands: 40 });
    const parts = tones.flatMap(({ bytes }) => [...frontEnd.all(readWav(bytes, '').samples).data]);
    expect(data.inputs.x!.data).toEqual(Float32Array.from(parts));
    for (const band of [0, 17, 39]) {
      const column = parts.filter((_, i) => i % 40 === band);
      const mean = column.reduce((a, b) => a + b) / column.length;
      expect(Math.abs(mean)).toBeLessThan(1e-4);
      expect(column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / column.length).toBeCloseTo(1, 3);
    }
    // Data that judge are heard as the model hears.
    const same = await fromSounds('other', tones.slice(1), { frontEnd: data.frontEnd!, classes: data.classes! });
    expect([...same.targets!.data]).toEqual([0, 1]);
    expect(same.frontEnd).toEqual(data.frontEnd);
  });

  it('with labels are to be transcribed, without any to be listened to', async () => {
    const said = [['b', 'a'], [], ['a']];
    const sounds = tones.map(({ label: _, ...rest }, i) => ({ ...rest, labels: said[i]! }));
    const data = await fromSounds('said', sounds, { frontEnd: 'mfcc:13 raw' });
    expect(data).toMatchObject({ task: 'transcribe', classes: ['a', 'b'] });
    expect(data.targets).toMatchObject({ shape: [3, 2], lengths: [2, 0, 1], data: Float32Array.of(1, 0, 0) });
    expect(data.frontEnd!.mean).toBeUndefined();
    expect(data.inputs.x!.shape[2]).toBe(13);
    const bare = await fromSounds(
      'bare',
      tones.map(({ name, bytes }) => ({ name, bytes })),
    );
    expect(bare).toMatchObject({ task: 'custom' });
    expect(bare.targets).toBeUndefined();
  });

  const silent = [...tones.slice(0, 2), { name: 'd.wav', bytes: wavOf(new Float32Array(3000)), label: 'low' }];
  it.each([
    ['there are no recordings', [], {}],
    [
      'another sample rate[^]*d.wav[^]*8000 Hz[^]*16000 Hz',
      [...tones, { name: 'd.wav', bytes: wavOf([0.5], { sampleRate: 16000 }) }],
      {},
    ],
    [
      'shorter than a window[^]*d.wav[^]*200[^]*199',
      [...tones, { name: 'd.wav', bytes: wavOf(new Float32Array(199)) }],
      {},
    ],
    ['no label[^]*d.wav', [...tones, { ...tones[0]!, name: 'd.wav', label: undefined as never }], {}],
    ['none of the model[^]*b.wav[^]*low . mid[^]*"high"', tones, { classes: ['low', 'mid'] }],
    ['only one class', [tones[0]!, tones[2]!], {}],
    [
      'feature 0 is the same in all frames',
      silent
        .slice(2)
        .concat(silent.slice(2))
        .map((s, i) => ({ ...s, label: `${i}` })),
      {},
    ],
    ['OPTION_INVALID[^]*--task[^]*classify[^]*regress', tones, { task: 'regress' as const }],
    ['OPTION_INVALID[^]*--front-end: frontEnd.highest', tones, { frontEnd: 'range:20-7600' }],
    ['OPTION_INVALID[^]*--front-end: frontEnd.coefficients', tones, { frontEnd: 'mel:20 mfcc:30' }],
    ['OPTION_INVALID[^]*--front-end: frontEnd.fft', tones, { frontEnd: 'fft:100' }],
  ])('are refused: %s', async (message, sounds, options) => {
    await expect(fromSounds('tones', sounds as NamedSound[], options)).rejects.toThrow(new RegExp(message));
  });
});

describe('the line of a front end', () => {
  it.each([
    [
      '',
      {
        window: 400,
        hop: 160,
        fft: 512,
        melBands: 40,
        lowest: 20,
        highest: 8000,
        melScale: 'htk',
        melNorm: 'peak',
        floor: 1e-6,
      },
    ],
    ['mfcc:13 window:30 hop:15', { window: 480, hop: 240, fft: 512, coefficients: 13 }],
    [
      'mel:64, range:125.5-7500, scale:slaney',
      { melBands: 64, lowest: 125.5, highest: 7500, melScale: 'slaney', melNorm: 'area' },
    ],
    ['fft:1024 floor:1e-10', { fft: 1024, floor: 1e-10 }],
  ])('"%s"', (line, wanted) => {
    expect(parseFrontEndLine(line).options(16000)).toMatchObject({ sampleRate: 16000, ...wanted });
  });

  it.each(['mel', 'mel:', 'mel:0', 'mel:40:3', 'bark:12', 'scale:erb', 'range:5', 'hop:-1', 'hop:NaN', 'Raw'])(
    'refuses "%s" by name',
    (line) => {
      expect(() => parseFrontEndLine(`window:25 ${line}`)).toThrow(
        new RegExp(`OPTION_INVALID[^]*found +${line}$`, 'm'),
      );
    },
  );
});

describe('tables of recordings', () => {
  const read = (name: string, text: string) => readManifest(name, new TextEncoder().encode(text));

  it('are CSV or JSON lines', () => {
    expect(read('a.csv', 'path,label\nx/1.wav,yes\n"x, 2.wav",no\n')).toEqual([
      { path: 'x/1.wav', label: 'yes' },
      { path: 'x, 2.wav', label: 'no' },
    ]);
    expect(read('a.csv', '\ufeffPath,Text\n1.wav,oui\n')).toEqual([{ path: '1.wav', labels: ['o', 'u', 'i'] }]);
    expect(read('a.jsonl', '{"path": "1.wav", "labels": ["sil", "ah"]}\n\n{"path": "2.wav", "text": "ab"}\n')).toEqual([
      { path: '1.wav', labels: ['sil', 'ah'] },
      { path: '2.wav', labels: ['a', 'b'] },
    ]);
  });

  it('are told from other data', () => {
    expect(read('a.csv', 'path,label,more\n1,2,3\n')).toBeUndefined();
    expect(read('a.jsonl', '{"x": [[1]], "y": 0}\n')).toBeUndefined();
    expect(readManifest('a.csv', Uint8Array.of(255, 254))).toBeUndefined();
  });

  it.each([
    ['a.csv', 'path,label\na.wav,yes\n,no\n', 'no path[^]*line 3'],
    ['a.csv', 'path,label\na.wav\n', 'cannot be read'],
    ['a.jsonl', '{"path": "a.wav", "label": "x"}\n{"path": "b.wav"}\n', 'not told[^]*line 2'],
    ['a.jsonl', '{"path": "a.wav", "labels": [1]}\n', 'not told[^]*line 1'],
    ['a.jsonl', '{"path": "a.wav", "label": "x"}\n[\n', 'not JSON[^]*line 2'],
    ['a.jsonl', '{"path": "a.wav", "label": "x"}\nnull\n', 'no object[^]*line 2'],
  ])('are refused by line: %s %s', (name, text, message) => {
    expect(() => read(name, text)).toThrow(new RegExp(`DATA_INVALID[^]*${message}`));
  });
});
