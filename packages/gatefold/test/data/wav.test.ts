import { describe, expect, it } from 'vitest';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { readWav } from '../../src/data/wav.ts';
import { wavOf } from '../support/wav.ts';

const samples = randomValues(randomSource(1), 50);
const changed = (change: (view: DataView, bytes: Uint8Array) => void, from = wavOf(samples)) => {
  change(new DataView(from.buffer), from);
  return from;
};

describe('WAV files', () => {
  it.each([
    { bits: 8 },
    { bits: 16 },
    { bits: 24 },
    { bits: 32 },
    { bits: 32, float: true },
    { bits: 64, float: true },
    { bits: 16, extensible: true },
    { bits: 32, float: true, extensible: true },
    { bits: 16, factors: [1, 1] },
    { bits: 24, factors: [0.5, -0.25, 0.125] },
  ])('are read: %o', (options) => {
    const { sampleRate, samples: found } = readWav(wavOf(samples, { ...options, sampleRate: 11025 }), 'a.wav');
    expect(sampleRate).toBe(11025);
    expect(found).toHaveLength(50);
    const factors = options.factors ?? [1];
    const mean = factors.reduce((a, b) => a + b) / factors.length;
    const step = options.float ? 1e-7 : 2 ** (1 - options.bits);
    found.forEach((value, i) => {
      expect(Math.abs(value - mean * samples[i]!)).toBeLessThanOrEqual(step);
    });
  });

  it('have full scale at ±1', () => {
    for (const bits of [8, 16, 24, 32]) {
      const [low, high] = readWav(wavOf([-1, 1], { bits }), 'a.wav').samples;
      expect(low).toBe(-1);
      expect(high).toBeCloseTo(1 - 2 ** (1 - bits), 6);
    }
  });

  it.each([
    ['not a WAV file', new Uint8Array(100)],
    ['not a WAV file', new Uint8Array(3)],
    ['not a WAV file.*RIFX', changed((view) => view.setUint8(3, 0x58))],
    ['ends inside its "data" chunk', wavOf(samples).slice(0, 100)],
    ['ends inside its "fmt " chunk', changed((view) => view.setUint32(16, 0xffffffff, true))],
    ['holds no samples', wavOf(samples).slice(0, 48)],
    ['format chunk is too short', changed((view) => view.setUint32(16, 14, true))],
    ['samples are compressed.*format 85', changed((view) => view.setUint16(20, 85, true))],
    ['samples of this size.*8 | 16 | 24 | 32.*12', changed((view) => view.setUint16(34, 12, true))],
    ['channels and bytes do not fit.*0 channels', changed((view) => view.setUint16(22, 0, true))],
    ['channels and bytes do not fit.*5 bytes', changed((view) => view.setUint16(32, 5, true))],
    ['no sample rate', changed((view) => view.setUint32(24, 0, true))],
    ['last sample is cut off.*99 bytes', changed((view) => view.setUint32(52, 99, true))],
    [
      'not finite.*a.wav: sample 7.*NaN',
      wavOf(
        samples.map((v, i) => (i === 7 ? Number.NaN : v)),
        { bits: 32, float: true },
      ),
    ],
  ])('are refused: %s', (message, bytes) => {
    for (const part of ['DATA_INVALID', 'a.wav', ...message.split('.*')]) {
      expect(() => readWav(bytes, 'a.wav')).toThrow(part);
    }
  });

  it('survive being cut or changed anywhere', () => {
    const random = randomSource(4);
    for (let i = 0; i < 2000; i++) {
      const bytes = wavOf(samples, { extensible: i % 2 === 0 });
      for (let k = 0; k < 3; k++) bytes[Math.floor(random() * 60)] = Math.floor(random() * 256);
      try {
        readWav(bytes.subarray(0, Math.floor(random() * 200)), 'a.wav');
      } catch (error) {
        expect((error as { code?: string }).code).toBe('DATA_INVALID');
      }
    }
  });
});
