import { FrontEnd, type FrontEndOptions, fail, GatefoldError } from '@gatefold/runtime';
import { checkDataset, type Dataset, type Examples, type Task } from './dataset.ts';
import { parseFrontEndLine } from './front-end.ts';
import { readWav } from './wav.ts';

/** A WAV file and what is known of it: nothing, a class, or what is said in it, label by label. */
export interface NamedSound {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly label?: string;
  readonly labels?: readonly string[];
}

export interface SoundOptions {
  /** The front end of a model; or a line that describes a new one, whose normalization comes from the sounds. */
  readonly frontEnd?: FrontEndOptions | string;
  /** Names of classes or labels by number; default all that are there, in order. */
  readonly classes?: readonly string[];
  readonly task?: Task;
}

/** Features of all sounds together. */
const largest = 2 ** 28;

/**
 * Sounds as sequences of features. With a class each they are data to classify; with labels, to transcribe.
 * @throws DATA_INVALID naming the sound; OPTION_INVALID
 */
export async function fromSounds(
  name: string,
  sounds: AsyncIterable<NamedSound> | Iterable<NamedSound>,
  { frontEnd: given, classes: known, task }: SoundOptions = {},
): Promise<Dataset> {
  const line = typeof given === 'object' ? undefined : parseFrontEndLine(given ?? '');
  let frontEnd = typeof given === 'object' ? new FrontEnd(given) : undefined;
  const parts: Float32Array[] = [];
  const wanted: { readonly place: string; readonly label?: string; readonly labels?: readonly string[] }[] = [];
  let total = 0;
  for await (const { name: file, bytes, ...said } of sounds) {
    const place = `${name}: ${file}`;
    const { sampleRate, samples } = readWav(bytes, place);
    frontEnd ??= made(line!.options(sampleRate));
    const { options } = frontEnd;
    if (sampleRate !== options.sampleRate) {
      fail('DATA_INVALID', 'a recording has another sample rate', {
        place,
        expected: `${options.sampleRate} Hz`,
        found: `${sampleRate} Hz`,
        hint: `resample it, for instance with ffmpeg -i SOUND -ar ${options.sampleRate} OUT.wav`,
      });
    }
    const { data } = frontEnd.all(samples);
    if (data.length === 0) {
      fail('DATA_INVALID', 'a recording is shorter than a window', {
        place,
        expected: `at least ${options.window} samples`,
        found: `${samples.length}`,
      });
    }
    total += data.length;
    if (total > largest) {
      fail('DATA_INVALID', 'the recordings are too long together', { place, expected: `at most ${largest} features` });
    }
    parts.push(data);
    wanted.push({ place, ...said });
  }
  if (!frontEnd) return fail('DATA_INVALID', 'there are no recordings', { place: name, expected: '.wav files' });
  const x = joined(parts, frontEnd.width, total);
  const options = line?.normalize ? normalized(name, x.data, frontEnd) : frontEnd.options;
  const told = targetsOf(name, wanted, known);
  if (task !== undefined && told.task !== 'custom' && task !== told.task) {
    fail('OPTION_INVALID', 'recordings have another task', { place: '--task', expected: told.task, found: task });
  }
  return checkDataset({ name, count: parts.length, inputs: { x }, frontEnd: options, ...told });
}

/** What a line asks for may not go together. */
function made(options: FrontEndOptions): FrontEnd {
  try {
    return new FrontEnd(options);
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    const { expected, found, place } = error.detail;
    return fail('OPTION_INVALID', 'the front end does not go together', {
      place: `--front-end: ${place}, at ${options.sampleRate} Hz`,
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
    });
  }
}

function joined(parts: readonly Float32Array[], width: number, total: number): Examples {
  const data = new Float32Array(total);
  const lengths = parts.map((part) => part.length / width);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
  const shape = [parts.length, longest, width];
  return lengths.every((steps) => steps === longest) ? { shape, data } : { shape, data, lengths };
}

/** Gives the features mean 0 and deviation 1, as the front end will from now on. */
function normalized(name: string, data: Float32Array, { width, options }: FrontEnd): FrontEndOptions {
  const frames = data.length / width;
  const mean = new Array<number>(width).fill(0);
  const squares = new Array<number>(width).fill(0);
  data.forEach((value, i) => {
    mean[i % width]! += value / frames;
  });
  data.forEach((value, i) => {
    squares[i % width]! += (value - mean[i % width]!) ** 2 / frames;
  });
  const deviation = squares.map(Math.sqrt);
  const idle = deviation.findIndex((value) => !(value > 1e-6));
  if (idle >= 0) {
    fail('DATA_INVALID', `feature ${idle} is the same in all frames`, {
      place: name,
      expected: 'features that say something',
      found: `${mean[idle]}`,
      hint: 'fewer mel bands or a larger fft give every band a frequency; "raw" leaves features as they are',
    });
  }
  data.forEach((value, i) => {
    data[i] = (value - mean[i % width]!) / deviation[i % width]!;
  });
  return { ...options, mean, deviation };
}

function targetsOf(
  name: string,
  wanted: readonly { readonly place: string; readonly label?: string; readonly labels?: readonly string[] }[],
  known: readonly string[] | undefined,
): Pick<Dataset, 'task' | 'targets' | 'classes'> {
  const lists = wanted.map(({ label, labels }) => labels ?? (label === undefined ? [] : [label]));
  if (wanted.every(({ label, labels }) => label === undefined && labels === undefined)) return { task: 'custom' };
  const transcribes = wanted.some(({ labels }) => labels !== undefined);
  const odd = wanted.find(({ label, labels }) => (transcribes ? labels : label) === undefined);
  if (odd) fail('DATA_INVALID', 'a recording has no label', { place: odd.place });
  const classes = known ?? [...new Set(lists.flat())].sort();
  const numbers = new Map(classes.map((label, i) => [label, i]));
  const data = lists.flatMap((labels, i) =>
    labels.map(
      (label) =>
        numbers.get(label) ??
        fail('DATA_INVALID', 'a label is none of the model', {
          place: wanted[i]!.place,
          expected: classes.slice(0, 50).join(' | '),
          found: JSON.stringify(label),
        }),
    ),
  );
  if (!transcribes) {
    if (classes.length < 2) fail('DATA_INVALID', 'there is only one class', { place: name, found: classes.join() });
    return { task: 'classify', classes, targets: { shape: [lists.length], data: Float32Array.from(data) } };
  }
  const lengths = lists.map((labels) => labels.length);
  const shape = [lists.length, lengths.reduce((a, b) => Math.max(a, b), 0)];
  return { task: 'transcribe', classes, targets: { shape, data: Float32Array.from(data), lengths } };
}
