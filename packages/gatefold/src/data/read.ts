import { fail, sizeOf, utf8Decode } from '@gatefold/runtime';
import { parse } from 'csv-parse/browser/esm/sync';
import { checkDataset, type Dataset, type Examples, type Task } from './dataset.ts';
import { readNpy, readNpz } from './npz.ts';

export interface DataOptions {
  readonly task?: Task;
  /** csv: the column to predict; default the last. */
  readonly target?: string;
  /** csv: rows per example, as a window over a time series; default 1. */
  readonly window?: number;
  /** txt: symbols by id, from the model's metadata or a vocabulary file. */
  readonly vocabulary?: readonly string[];
  /** txt: characters to read; default all. */
  readonly limit?: number;
}

/**
 * Reads data by the file's name: .npz, .npy, .csv, .jsonl, .txt.
 * @throws DATA_INVALID
 */
export function datasetFromFile(name: string, bytes: Uint8Array, options: DataOptions = {}): Dataset {
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  switch (extension) {
    case 'npz':
      return fromArrays(name, toExamples(readNpz(bytes)), options);
    case 'npy':
      return fromArrays(name, toExamples([['x', readNpy(bytes)]]), options);
    case 'csv':
      return fromCsv(name, textOf(name, bytes), options);
    case 'jsonl':
      return fromJsonLines(name, textOf(name, bytes), options);
    case 'txt':
      return fromText(name, textOf(name, bytes), options);
    default:
      return fail('DATA_INVALID', 'data of this kind are not read', {
        place: name,
        expected: '.npz, .npy, .csv, .jsonl, .txt, or a JavaScript module',
      });
  }
}

function textOf(name: string, bytes: Uint8Array): string {
  return utf8Decode(bytes) ?? fail('DATA_INVALID', 'the text is not UTF-8', { place: name });
}

function toExamples(
  arrays: Iterable<[string, { shape: readonly number[]; data: ArrayLike<number | bigint> }]>,
): Map<string, Examples> {
  return new Map(
    Array.from(arrays, ([key, { shape, data }]) => [
      key,
      { shape, data: Float32Array.from(data as ArrayLike<number>, Number) },
    ]),
  );
}

/** `y` holds the targets, everything else inputs. One-hot targets become class numbers. */
function fromArrays(name: string, arrays: ReadonlyMap<string, Examples>, { task }: DataOptions): Dataset {
  const { y, ...inputs } = Object.fromEntries(arrays) as Record<string, Examples>;
  const count = Object.values(inputs)[0]?.shape[0] ?? 0;
  if (!y) return checkDataset({ name, task: task ?? 'custom', count, inputs });
  const whole = y.data.every((value) => Number.isInteger(value) && value >= 0);
  const flat = y.shape.length === 2 && y.shape[1] === 1 ? { ...y, shape: [y.shape[0]!] } : y;
  const oneHot = whole && flat.shape.length >= 2 && isOneHot(flat);
  const labels = oneHot ? fromOneHot(flat) : flat;
  const inferred: Task = !whole ? 'regress' : labels.shape.length === 1 ? 'classify' : 'label';
  const chosen = task ?? inferred;
  return checkDataset({ name, task: chosen, count, inputs, targets: chosen === 'regress' ? flat : labels });
}

function isOneHot({ shape, data }: Examples): boolean {
  const width = shape.at(-1)!;
  if (width < 2) return false;
  for (let at = 0; at < data.length; at += width) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += data[at + i]!;
    if (sum !== 1) return false;
  }
  return true;
}

function fromOneHot({ shape, data }: Examples): Examples {
  const width = shape.at(-1)!;
  const labels = Float32Array.from({ length: data.length / width }, (_, r) =>
    data.subarray(r * width, (r + 1) * width).indexOf(1),
  );
  return { shape: shape.slice(0, -1), data: labels };
}

/** Columns of numbers; the target is the last column of a window's last row. Other words become class numbers. */
function fromCsv(name: string, text: string, { target, window = 1, task }: DataOptions): Dataset {
  let rows: Record<string, string>[];
  try {
    rows = parse(text, { columns: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    return fail('DATA_INVALID', 'the CSV cannot be read', { place: name, found: (error as Error).message });
  }
  const columns = Object.keys(rows[0] ?? {});
  const goal = target ?? columns.at(-1);
  if (goal === undefined || !columns.includes(goal)) {
    fail('DATA_INVALID', `there is no column "${target}"`, { place: name, expected: columns.join(', ') });
  }
  if (!(window >= 1)) fail('DATA_INVALID', 'a window needs at least one row', { place: name, found: `${window}` });
  const features = columns.filter((column) => column !== goal);
  const values = new Float32Array(rows.length * features.length);
  rows.forEach((row, r) => {
    features.forEach((column, c) => {
      const value = Number(row[column]);
      if (row[column] === '' || !Number.isFinite(value)) {
        fail('DATA_INVALID', 'a cell is no number', {
          place: `${name}: line ${r + 2}, column ${column}`,
          found: JSON.stringify(row[column]),
        });
      }
      values[r * features.length + c] = value;
    });
  });
  const count = rows.length - window + 1;
  if (count < 1)
    fail('DATA_INVALID', 'fewer rows than a window', { place: name, expected: `${window}`, found: `${rows.length}` });
  const size = window * features.length;
  const data = new Float32Array(count * size);
  for (let i = 0; i < count; i++) data.set(values.subarray(i * features.length, i * features.length + size), i * size);
  const words = rows.slice(window - 1).map((row) => row[goal]!);
  const blank = words.indexOf('');
  if (blank >= 0) fail('DATA_INVALID', 'a target is empty', { place: `${name}: example ${blank + 1}, column ${goal}` });
  const numbers = words.map(Number);
  const numeric = numbers.every((value) => Number.isFinite(value));
  const labels = numeric && numbers.every((value) => Number.isInteger(value) && value >= 0);
  const classes = numeric ? undefined : [...new Set(words)].sort();
  const targets = Float32Array.from(words, (word, i) => (classes ? classes.indexOf(word) : numbers[i]!));
  const shape = window === 1 ? [count, features.length] : [count, window, features.length];
  return checkDataset({
    name,
    task: task ?? (classes || labels ? 'classify' : 'regress'),
    count,
    inputs: { x: { shape, data } },
    targets: { shape: [count], data: targets },
    ...(classes ? { classes } : {}),
  });
}

/** One example per line: {"x": …, "y": …}, or an array per input name. */
function fromJsonLines(name: string, text: string, options: DataOptions): Dataset {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const columns = new Map<string, { shape: number[]; values: number[] }>();
  for (const [i, line] of lines.entries()) {
    const place = `${name}: line ${i + 1}`;
    let example: Record<string, unknown>;
    try {
      example = JSON.parse(line) as Record<string, unknown>;
    } catch (error) {
      fail('DATA_INVALID', 'a line is not JSON', { place, found: (error as Error).message });
    }
    if (typeof example !== 'object' || example === null) fail('DATA_INVALID', 'a line is no object', { place });
    for (const [key, value] of Object.entries(example)) {
      const shape = shapeOf(value, place);
      const column = columns.get(key) ?? { shape, values: [] };
      if (column.shape.join() !== shape.join() || column.values.length !== i * sizeOf(shape)) {
        fail('DATA_INVALID', `examples of "${key}" have different shapes`, {
          place,
          expected: `[${column.shape}]`,
          found: `[${shape}]`,
        });
      }
      for (const number of (Array.isArray(value) ? value.flat(16) : [value]) as number[]) column.values.push(number);
      columns.set(key, column);
    }
  }
  const arrays = [...columns].map(([key, { shape, values }]): [string, { shape: number[]; data: number[] }] => [
    key,
    { shape: [lines.length, ...shape], data: values },
  ]);
  return fromArrays(name, toExamples(arrays), options);
}

function shapeOf(value: unknown, place: string): number[] {
  if (typeof value === 'number' && Number.isFinite(value)) return [];
  if (!Array.isArray(value) || value.length === 0)
    return fail('DATA_INVALID', 'a value is no number', { place, found: JSON.stringify(value) ?? 'nothing' });
  const inner = value.map((item) => shapeOf(item, place));
  if (inner.some((shape) => shape.join() !== inner[0]!.join())) fail('DATA_INVALID', 'a list is ragged', { place });
  return [value.length, ...inner[0]!];
}

/** A text as one sequence of symbols and the symbol that follows each. */
function fromText(name: string, text: string, { vocabulary, limit }: DataOptions): Dataset {
  if (!vocabulary) {
    fail('DATA_INVALID', 'a text needs the vocabulary of its model', {
      place: name,
      hint: 'give --vocabulary FILE, a JSON list of symbols by id',
    });
  }
  const ids = new Map(vocabulary.map((symbol, id) => [symbol, id]));
  const symbols = [...text].slice(0, limit);
  const codes = Float32Array.from(symbols, (symbol, i) => {
    return (
      ids.get(symbol) ??
      fail('DATA_INVALID', 'a character is not in the vocabulary', {
        place: `${name}[${i}]`,
        found: JSON.stringify(symbol),
      })
    );
  });
  const length = codes.length - 1;
  if (length < 1) fail('DATA_INVALID', 'the text is too short', { place: name });
  return checkDataset({
    name,
    task: 'language',
    count: 1,
    inputs: { x: { shape: [1, length], data: codes.subarray(0, length) } },
    targets: { shape: [1, length], data: codes.subarray(1) },
    classes: vocabulary,
  });
}
