import { fail } from '@gatefold/runtime';

/** The Keras that wrote a file: some defaults, functions and masks differ. */
export interface KerasVersion {
  readonly text: string;
  /** 2 or 3. */
  readonly major: number;
  readonly minor: number;
  /** The package `keras` beside TensorFlow (2.0 to 2.3), before it became TensorFlow's own. */
  readonly standalone: boolean;
}

/**
 * Reads "2.2.4-tf", "2.15.0", "3.9.2"; "tfjs-layers 4.22.0" is TensorFlow.js, which follows the package `keras` of 2.0.
 * @throws FILE_CORRUPT, MODEL_UNSUPPORTED for other versions
 */
export function parseVersion(text: string): KerasVersion {
  const found = text.slice(0, 40);
  if (/^tfjs-layers\b/.test(text)) return { text: found, major: 2, minor: 0, standalone: true };
  const numbers = /^(\d+)(?:\.(\d+))?/.exec(text);
  if (!numbers) return fail('FILE_CORRUPT', 'the version of Keras cannot be read', { place: 'keras_version', found });
  const [major, minor] = [Number(numbers[1]), Number(numbers[2] ?? 0)];
  if (major !== 2 && major !== 3) {
    const hint =
      major < 2
        ? 'load the model in Keras 2.0 to 2.3, which converts it, and save it again'
        : 'save it with Keras 3, or use a newer Gatefold';
    fail('MODEL_UNSUPPORTED', `files of Keras ${found} are not read`, {
      place: 'keras_version',
      expected: '2.x or 3.x',
      hint,
    });
  }
  return { text, major, minor, standalone: major === 2 && minor < 4 && !text.includes('tf') };
}
