import { type FrontEndOptions, fail } from '@gatefold/runtime';

const usage =
  'words such as mel:40 (bands), mfcc:13 (coefficients), window:25 and hop:10 (milliseconds), fft:512, range:20-7600 (Hz), ' +
  'scale:htk or scale:slaney, floor:1e-6, raw (without normalization)';

/** How sounds shall be taken apart, before their sample rate is known. */
export interface FrontEndChoice {
  readonly options: (sampleRate: number) => FrontEndOptions;
  /** Whether features shall have mean 0 and deviation 1 over the data. */
  readonly normalize: boolean;
}

/**
 * Reads a line such as "mfcc:13 window:30 hop:15". Default: 40 mel bands (HTK's scale) from 20 Hz to half the sample rate,
 * 25 ms every 10 ms, the smallest transform that holds a window, a floor of 1e-6.
 * @throws OPTION_INVALID naming the word
 */
export function parseFrontEndLine(line: string, place = '--front-end'): FrontEndChoice {
  const refuse = (found: string): never =>
    fail('OPTION_INVALID', 'the front end is not understood', { place, expected: usage, found });
  const numbers = new Map<string, number>([
    ['mel', 40],
    ['window', 25],
    ['hop', 10],
    ['floor', 1e-6],
  ]);
  let scale: 'htk' | 'slaney' = 'htk';
  let range: readonly number[] | undefined;
  let normalize = true;
  for (const word of line
    .trim()
    .split(/[\s,]+/)
    .filter((text) => text !== '')) {
    const [key = '', value = '', ...more] = word.split(':');
    const isNumber = value !== '' && Number(value) > 0;
    if (more.length > 0) refuse(word);
    if (word === 'raw') normalize = false;
    else if (['mel', 'mfcc', 'window', 'hop', 'fft', 'floor'].includes(key) && isNumber)
      numbers.set(key, Number(value));
    else if (key === 'scale' && (value === 'htk' || value === 'slaney')) scale = value;
    else if (key === 'range' && /^\d+(\.\d+)?-\d+(\.\d+)?$/.test(value)) range = value.split('-').map(Number);
    else refuse(word);
  }
  const options = (sampleRate: number): FrontEndOptions => {
    const samples = (key: string) => Math.max(1, Math.round((numbers.get(key)! * sampleRate) / 1000));
    const window = samples('window');
    const coefficients = numbers.get('mfcc');
    return {
      ...{ sampleRate, window, hop: samples('hop') },
      fft: numbers.get('fft') ?? Math.max(8, 2 ** Math.ceil(Math.log2(window))),
      melBands: numbers.get('mel')!,
      ...{ lowest: range?.[0] ?? 20, highest: range?.[1] ?? sampleRate / 2 },
      ...{ melScale: scale, melNorm: scale === 'slaney' ? 'area' : 'peak', floor: numbers.get('floor')! },
      ...(coefficients === undefined ? {} : { coefficients }),
    };
  };
  return { options, normalize };
}
