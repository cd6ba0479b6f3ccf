import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PowerSpectrum } from '../../src/front-end/power.ts';
import { FrontEnd, type FrontEndOptions, frontEndOptions, parseFrontEnd } from '../../src/index.ts';
import { randomSource, randomValues } from '../support/random.ts';

const folder = new URL('../../../../fixtures/front-end/', import.meta.url);
const fixtures = readdirSync(folder).map((name) => {
  const made = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as {
    options: FrontEndOptions;
    samples: number[];
    features: number[][];
  };
  return { name, ...made, samples: Float32Array.from(made.samples, (value) => value / 32768) };
});
const base = fixtures[0]!.options;

describe('the power spectrum', () => {
  it.each([4, 8, 64, 1024])('of %i samples is that of the sum that defines it', (size) => {
    const spectrum = new PowerSpectrum(size);
    for (const length of [size, size - 3]) {
      const frame = Float64Array.from(randomValues(randomSource(size), length));
      const power = new Float64Array(spectrum.bins);
      spectrum.of(frame, power);
      power.forEach((found, k) => {
        let re = 0;
        let im = 0;
        frame.forEach((value, n) => {
          re += value * Math.cos((2 * Math.PI * k * n) / size);
          im -= value * Math.sin((2 * Math.PI * k * n) / size);
        });
        expect(Math.abs(found - (re * re + im * im))).toBeLessThan(1e-9 * size);
      });
    }
  });
});

describe('the front end', () => {
  it.each(fixtures)('gives the features of librosa: $name', ({ options, samples, features }) => {
    const { shape, data } = new FrontEnd(options).all(samples);
    expect(shape).toEqual([features.length, options.coefficients ?? options.melBands]);
    const worst = Math.max(...features.flat().map((wanted, i) => Math.abs(wanted - data[i]!)));
    expect(worst).toBeLessThan(3e-6 * Math.max(...features.flat().map(Math.abs)));
  });

  it.each(fixtures)(
    'gives the same bits however samples arrive, and allocates no frames: $name',
    ({ options, samples }) => {
      const whole = new FrontEnd(options).all(samples);
      const random = randomSource(9);
      for (const largest of [1, 7, options.hop, options.window + 13, samples.length]) {
        const frontEnd = new FrontEnd(options);
        const frames: number[] = [];
        const arrays = new Set<Float32Array>();
        for (let at = 0; at < samples.length; ) {
          const end = Math.min(samples.length, at + 1 + Math.floor(random() * largest));
          frontEnd.push(samples.subarray(at, end), (features) => {
            arrays.add(features);
            frames.push(...features);
          });
          at = end;
        }
        expect(Float32Array.from(frames)).toEqual(whole.data);
        expect(arrays.size).toBe(1);
      }
    },
  );

  it('normalizes, and begins anew after a reset', () => {
    const { samples } = fixtures[0]!;
    const plain = new FrontEnd(base).all(samples).data;
    const mean = Array.from({ length: base.melBands }, (_, i) => i / 10 - 3);
    const deviation = mean.map((_, i) => 0.5 + i / 40);
    const frontEnd = new FrontEnd({ ...base, mean, deviation });
    frontEnd.push(samples.subarray(0, 777), () => {});
    frontEnd.reset();
    const { data } = frontEnd.all(samples);
    data.forEach((value, i) => {
      const k = i % base.melBands;
      expect(Math.abs(value - (plain[i]! - mean[k]!) / deviation[k]!)).toBeLessThan(1e-5);
    });
    expect(frontEnd.all(samples.subarray(0, base.window - 1)).shape).toEqual([0, base.melBands]);
  });

  it('stands in the metadata of a model', () => {
    const metadata = JSON.parse(JSON.stringify({ frontEnd: base })) as { frontEnd: FrontEndOptions };
    expect(frontEndOptions({ metadata: metadata as never })).toEqual(base);
    expect(frontEndOptions({ metadata: {} })).toBeUndefined();
  });

  it.each([
    ['frontEnd', null],
    ['frontEnd', [1]],
    ['frontEnd.sampleRate', { ...base, sampleRate: '16000' }],
    ['frontEnd.hop', { ...base, hop: 1.5 }],
    ['frontEnd.hop', { ...base, hop: 0 }],
    ['frontEnd.fft', { ...base, fft: 500 }],
    ['frontEnd.fft', { ...base, fft: 256 }],
    ['frontEnd.melBands', { ...base, melBands: 1e9 }],
    ['frontEnd.highest', { ...base, highest: 9000 }],
    ['frontEnd.highest', { ...base, highest: 20 }],
    ['frontEnd.lowest', { ...base, lowest: Number.NaN }],
    ['frontEnd.melScale', { ...base, melScale: 'bark' }],
    ['frontEnd.floor', { ...base, floor: 0 }],
    ['frontEnd.coefficients', { ...base, coefficients: 41 }],
    ['frontEnd.mean', { ...base, mean: [1, 2] }],
    ['frontEnd.deviation', { ...base, deviation: new Array(40).fill(0) }],
    ['frontEnd.preEmphasis', { ...base, preEmphasis: 0.97 }],
  ])('refuses %s by name (%#)', (place, given) => {
    expect(() => parseFrontEnd(given, 'frontEnd')).toThrow(new RegExp(`MODEL_INVALID.*at +${place}\n`, 's'));
  });
});
