import { fail } from '@gatefold/runtime';

/** The Keras that wrote a file. */
export interface KerasVersion {
  readonly text: string;
  readonly major: number;
  readonly minor: number;
  /** The package `keras` before TensorFlow took it in (2.0 to 2.3): other defaults, other masks. */
  readonly standalone: boolean;
}

/**
 * Reads "2.2.4-tf", "2.15.0", "3.9.2".
 * @throws MODEL_UNSUPPORTED for Keras 1
 */
export function parseVersion(text: string): KerasVersion {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? fail('FILE_CORRUPT', 'the version of Keras cannot be read', {
    place: 'keras_version',
    found: text.slice(0, 40),
  });
  const version = { text, major: Number(major), minor: Number(minor) };
  if (version.major < 2 || version.major > 3) {
    fail('MODEL_UNSUPPORTED', `files of Keras ${version.major} are not read`, {
      place: 'keras_version',
      expected: '2.x or 3.x',
      found: text.slice(0, 40),
      hint: version.major < 2 ? 'load the model in Keras 2.0 to 2.3, which converts it, and save it again' : 'save it from Keras 3',
    });
  }
  return { ...version, standalone: version.major === 2 && version.minor < 4 && !text.includes('tf') };
}
