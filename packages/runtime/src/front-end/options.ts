import { fail, showValue } from '../errors/index.ts';
import type { Model } from '../model/index.ts';

/**
 * How sound becomes features: frames of samples, their power spectrum, triangular mel bands, logarithms, and with
 * `coefficients` the cosine transform of these (MFCC). All of it stands in a model's metadata, so that features in use are
 * those of training.
 */
export interface FrontEndOptions {
  /** Samples per second. */
  readonly sampleRate: number;
  /** Samples of a frame; frame t begins at sample t·hop, nothing is padded. A periodic Hann window weighs them. */
  readonly window: number;
  readonly hop: number;
  /** Size of the Fourier transform, a power of two not below the window. */
  readonly fft: number;
  readonly melBands: number;
  /** The bands' range in Hz. */
  readonly lowest: number;
  readonly highest: number;
  /** `htk`: 2595·log10(1 + f/700). `slaney`: linear below 1 kHz, logarithmic above, 27 per factor 6.4. */
  readonly melScale: 'htk' | 'slaney';
  /** `peak`: triangles of height 1. `area`: each times 2/(its width in Hz), librosa's "slaney" norm. */
  readonly melNorm: 'peak' | 'area';
  /** Energies below it count as it, before the natural logarithm. */
  readonly floor: number;
  /** Coefficients of the orthonormal DCT-II of the logarithms, from the 0th; absent: the logarithms themselves. */
  readonly coefficients?: number;
  /** Features are (x − mean)/deviation, one number each per feature. */
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
}

const words = { melScale: ['htk', 'slaney'], melNorm: ['peak', 'area'] } as const;
/** Whole numbers and their ranges. */
const wholes = {
  sampleRate: [1000, 768_000],
  window: [2, 1 << 16],
  hop: [1, 1 << 16],
  fft: [8, 1 << 16],
  melBands: [1, 1024],
} as const;
const lists = ['mean', 'deviation'] as const;

/**
 * Checks options as they stand in metadata; `place` names them.
 * @throws MODEL_INVALID naming the option
 */
export function parseFrontEnd(given: unknown, place = 'metadata.frontEnd'): FrontEndOptions {
  const refuse = (key: string, expected: string, found: unknown): never =>
    fail('MODEL_INVALID', 'the front end cannot be run as it is described', {
      place: `${place}.${key}`,
      expected,
      found: showValue(found),
    });
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return fail('MODEL_INVALID', 'the front end is no object', { place, found: showValue(given) });
  }
  const options = given as Record<string, unknown>;
  const known = [...Object.keys(wholes), ...Object.keys(words), ...lists, 'lowest', 'highest', 'floor', 'coefficients'];
  for (const key of Object.keys(options)) if (!known.includes(key)) refuse(key, known.join(' | '), key);
  const inRange = (key: string, low: number, high: number, value = options[key]) => {
    if (typeof value !== 'number' || !(value >= low && value <= high)) refuse(key, `${low} … ${high}`, value);
  };
  for (const [key, [low, high]] of Object.entries(wholes)) {
    inRange(key, low, high);
    if (!Number.isInteger(options[key])) refuse(key, 'a whole number', options[key]);
  }
  for (const [key, choices] of Object.entries(words)) {
    if (!(choices as readonly unknown[]).includes(options[key])) refuse(key, choices.join(' | '), options[key]);
  }
  const { sampleRate, window, fft, lowest, melBands } = given as FrontEndOptions;
  if (fft < window || (fft & (fft - 1)) !== 0) refuse('fft', `a power of two from ${window}`, fft);
  inRange('lowest', 0, sampleRate / 2);
  inRange('highest', lowest, sampleRate / 2);
  if (options.highest === lowest) refuse('highest', `above ${lowest}`, lowest);
  inRange('floor', 1e-30, 1e30);
  if (options.coefficients !== undefined) {
    inRange('coefficients', 1, melBands);
    if (!Number.isInteger(options.coefficients)) refuse('coefficients', 'a whole number', options.coefficients);
  }
  const width = (options.coefficients as number | undefined) ?? melBands;
  for (const key of lists) {
    const list = options[key];
    if (list === undefined) continue;
    const isRow = Array.isArray(list) && list.length === width && list.every((value) => Number.isFinite(value));
    if (!isRow || (key === 'deviation' && !list.every((value) => value > 0))) {
      refuse(key, `${width} ${key === 'deviation' ? 'positive ' : ''}numbers`, list);
    }
  }
  return given as FrontEndOptions;
}

/** The front end that a model's metadata describe, where they do. @throws MODEL_INVALID */
export function frontEndOptions({ metadata }: Pick<Model, 'metadata'>): FrontEndOptions | undefined {
  return metadata.frontEnd === undefined ? undefined : parseFrontEnd(metadata.frontEnd);
}
