import { type FrontEndOptions, fail, sizeOf } from '@gatefold/runtime';

/**
 * One label per sequence, one per step, labels in order whose places are not known, the next symbol of a text, yes or no to
 * each of several questions (the keys of a chord, tags), numbers, or what a module evaluates itself.
 */
export const tasks = ['classify', 'label', 'transcribe', 'language', 'binary', 'regress', 'custom'] as const;
export type Task = (typeof tasks)[number];

/** A numeric array of many examples, row-major, examples first. */
export interface Examples {
  /** [count, …]; where the examples differ in length, the second dimension is that of the longest. */
  readonly shape: readonly number[];
  /** One example behind the other, nothing between them. */
  readonly data: Float32Array;
  /** Steps of each example, where they differ. */
  readonly lengths?: readonly number[];
}

/** What a data set's own `evaluate` is given: the model under test. */
export interface ModelUnderTest {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly shape: readonly (number | string)[] }[];
  readonly outputs: readonly { readonly name: string; readonly shape: readonly (number | string)[] }[];
  /**
   * Runs whole sequences from the zero state: one array for a model of one input, else an array per input name,
   * [batch, time, …] row-major.
   */
  run(
    inputs: ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>>,
    options?: { readonly batch?: number },
  ): Record<string, Examples>;
}

/** Examples for a model: an array per input name, and what is expected of them. */
export interface Dataset {
  readonly name: string;
  readonly task: Task;
  readonly count: number;
  readonly inputs: Readonly<Record<string, Examples>>;
  /**
   * Class numbers (classify: [N]; label, language: [N, time]; transcribe: [N, labels]), a 0 or 1 for every output (binary), or
   * values (regress); absent for calibration data.
   */
  readonly targets?: Examples;
  readonly classes?: readonly string[];
  /** Of ids that were renumbered for a model that lost tokens: what each was at first. */
  readonly tokens?: readonly string[];
  /** transcribe: the class that stands for no label; default the model's `metadata.blank`, else its last class. */
  readonly blank?: number;
  /** How the features were made, of sounds. */
  readonly frontEnd?: FrontEndOptions;
  /** A module's own metrics of a model, by name; they must be finite. */
  readonly evaluate?: (
    model: ModelUnderTest,
  ) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;
}

/**
 * Checks a data set against itself: finite numbers, as many targets as examples, whole labels.
 * @throws DATA_INVALID
 */
export function checkDataset(dataset: Dataset): Dataset {
  const { name, count, inputs, targets, task } = dataset;
  if (count < 1 || Object.keys(inputs).length === 0) fail('DATA_INVALID', 'the data hold no examples', { place: name });
  for (const [key, examples] of Object.entries(inputs)) checkArray(`${name}.${key}`, examples, count);
  if (!targets) return dataset;
  checkArray(`${name}.y`, targets, count);
  if (task === 'transcribe' && targets.shape.length !== 2) {
    fail('DATA_INVALID', 'the targets are no label sequences', {
      place: `${name}.y`,
      expected: '[examples, labels]',
      found: `[${targets.shape.join(', ')}]`,
    });
  }
  if (task !== 'regress' && task !== 'custom') {
    const most = task === 'binary' ? 1 : Number.POSITIVE_INFINITY;
    const odd = targets.data.findIndex((label) => !Number.isInteger(label) || label < 0 || label > most);
    if (odd >= 0) {
      fail('DATA_INVALID', task === 'binary' ? 'an answer is neither 0 nor 1' : 'a label is no class number', {
        place: `${name}.y[${odd}]`,
        expected: task === 'binary' ? '0 or 1' : 'a whole number from 0',
        found: String(targets.data[odd]),
      });
    }
  }
  return dataset;
}

function checkArray(place: string, examples: Examples, count: number): void {
  const { shape, data, lengths } = examples;
  if (shape[0] !== count || (lengths !== undefined && lengths.length !== count)) {
    fail('DATA_INVALID', 'arrays have different numbers of examples', {
      place,
      expected: `${count}`,
      found: `[${shape.join(', ')}]`,
    });
  }
  const size = lengths ? lengths.reduce((sum, steps) => sum + steps, 0) * sizeOf(shape.slice(2)) : sizeOf(shape);
  if (size !== data.length) {
    fail('DATA_INVALID', 'an array does not have the size that its shape says', {
      place,
      expected: `${size} values for [${shape.join(', ')}]`,
      found: `${data.length}`,
    });
  }
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) {
    fail('DATA_INVALID', 'the data hold a value that is not finite', {
      place: `${place}[${odd}]`,
      found: String(data[odd]),
    });
  }
}
