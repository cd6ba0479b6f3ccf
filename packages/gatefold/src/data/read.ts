import { fail, utf8Decode } from '@gatefold/runtime';
import { fromArrays, toExamples } from './arrays.ts';
import { fromCsv } from './csv.ts';
import type { Dataset, Task } from './dataset.ts';
import { fromJsonLines } from './jsonl.ts';
import { readNpy, readNpz } from './npz.ts';
import { fromText } from './text.ts';

export interface DataOptions {
  readonly task?: Task;
  /** csv: the column to predict; default the last. */
  readonly target?: string;
  /** csv: rows per example, as a window over a time series; default 1. */
  readonly window?: number;
  /** txt: symbols by id, from the model's metadata or a vocabulary file. */
  readonly vocabulary?: readonly string[];
  /** txt: the symbol that stands for those outside the vocabulary; default none. */
  readonly unknown?: string;
  /** txt: without a vocabulary, the text's own characters in order. */
  readonly ownVocabulary?: boolean;
  /** txt: characters to read; default all. */
  readonly limit?: number;
}

/** Texts above this are refused, in bytes: what they unpack to would not fit into memory. The CSV parser takes 20 times its text. */
const largestText = 2 ** 28;
const largestCsv = 2 ** 26;

/**
 * Reads data by the file's name: .npz, .npy, .csv, .jsonl, .txt.
 * @throws DATA_INVALID
 */
export function datasetFromFile(name: string, bytes: Uint8Array, options: DataOptions = {}): Dataset {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase();
  switch (extension) {
    case 'npz':
      return fromArrays(name, toExamples(readNpz(bytes)), options.task);
    case 'npy':
      return fromArrays(name, toExamples([['x', readNpy(bytes)]]), options.task);
    case 'csv':
      return fromCsv(name, textOf(name, bytes, largestCsv), options);
    case 'jsonl':
      return fromJsonLines(name, textOf(name, bytes), options.task);
    case 'txt':
      return fromText(name, textOf(name, bytes), options);
    default:
      return fail('DATA_INVALID', 'data of this kind are not read', {
        place: name,
        expected: '.npz, .npy, .csv, .jsonl, .txt, a JavaScript module, or a folder of .wav files',
      });
  }
}

function textOf(name: string, bytes: Uint8Array, largest = largestText): string {
  if (bytes.length > largest) {
    fail('DATA_INVALID', 'the text is too large', {
      place: name,
      expected: `at most ${largest} bytes`,
      found: `${bytes.length}`,
      hint: 'large data belong into an .npz',
    });
  }
  const text = utf8Decode(bytes) ?? fail('DATA_INVALID', 'the text is not UTF-8', { place: name });
  // A byte order mark is no part of the text.
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}
