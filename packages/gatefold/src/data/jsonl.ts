import { fail, sizeOf } from '@gatefold/runtime';
import { fromArrays } from './arrays.ts';
import type { Dataset, Examples, Task } from './dataset.ts';

/** Lists in lists in lists …: no model's input has more dimensions. */
const deepest = 6;
/** Values that all examples of one name may have together. */
const largest = 2 ** 26;

interface Column {
  readonly inner: readonly number[];
  readonly scalar: boolean;
  readonly lengths: number[];
  readonly values: number[];
}

/**
 * One example per line: {"x": …, "y": …}, or an array per input name. Examples may differ in length (their first
 * dimension).
 * @throws DATA_INVALID
 */
export function fromJsonLines(name: string, text: string, task: Task | undefined): Dataset {
  const columns = new Map<string, Column>();
  let count = 0;
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const place = `${name}: line ${i + 1}`;
    for (const [key, value] of Object.entries(parseLine(line, place))) addValue(columns, key, value, count, place);
    count++;
    for (const [key, { lengths }] of columns) {
      if (lengths.length !== count) fail('DATA_INVALID', `an example has no "${key}"`, { place });
    }
  }
  return fromArrays(name, new Map([...columns].map(([key, column]) => [key, examplesOf(column)])), task);
}

function parseLine(line: string, place: string): object {
  let example: unknown;
  try {
    example = JSON.parse(line);
  } catch (error) {
    fail('DATA_INVALID', 'a line is not JSON', { place, found: (error as Error).message });
  }
  if (typeof example !== 'object' || example === null || Array.isArray(example)) {
    fail('DATA_INVALID', 'a line is no object', { place, expected: '{"x": …, "y": …}' });
  }
  return example;
}

function addValue(columns: Map<string, Column>, key: string, value: unknown, before: number, place: string): void {
  const where = `${place}, "${key}"`;
  const column = columns.get(key);
  if ((column?.lengths.length ?? 0) !== before) {
    fail('DATA_INVALID', `the examples before this one have no "${key}"`, { place: where });
  }
  const values = column?.values ?? [];
  const shape = flatten(value, values, where, 0);
  const [length = 1, ...inner] = shape;
  const made = column ?? { inner, scalar: shape.length === 0, lengths: [], values };
  if (made.inner.join() !== inner.join() || made.scalar !== (shape.length === 0)) {
    fail('DATA_INVALID', `examples of "${key}" have different shapes`, {
      place: where,
      expected: made.scalar ? 'a number' : `[${['any', ...made.inner].join(', ')}]`,
      found: shape.length === 0 ? 'a number' : `[${shape.join(', ')}]`,
    });
  }
  made.lengths.push(length);
  columns.set(key, made);
}

/** Appends the numbers of a list in its order; returns its shape. */
function flatten(value: unknown, to: number[], place: string, depth: number): readonly number[] {
  if (typeof value === 'number' && Number.isFinite(value)) {
    if (to.length === largest) {
      fail('DATA_INVALID', 'the data are too large', {
        place,
        expected: `at most ${largest} values`,
        hint: 'use an .npz',
      });
    }
    to.push(value);
    return [];
  }
  if (depth === deepest) fail('DATA_INVALID', 'lists are nested too deeply', { place, expected: `at most ${deepest}` });
  if (!Array.isArray(value) || value.length === 0) {
    fail('DATA_INVALID', 'a value is no number', {
      place,
      expected: 'a number or a list of numbers that is not empty',
      found: showKind(value),
    });
  }
  let inner: readonly number[] | undefined;
  for (const item of value) {
    const shape = flatten(item, to, place, depth + 1);
    inner ??= shape;
    if (shape.join() !== inner.join()) {
      fail('DATA_INVALID', 'a list is ragged', { place, expected: `[${inner}]`, found: `[${shape}]` });
    }
  }
  return [value.length, ...inner!];
}

function showKind(value: unknown): string {
  if (Array.isArray(value)) return '[]';
  return typeof value === 'object' && value !== null ? 'an object' : String(JSON.stringify(value)).slice(0, 60);
}

function examplesOf({ inner, scalar, lengths, values }: Column): Examples {
  const data = Float32Array.from(values);
  if (scalar) return { shape: [lengths.length], data };
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
  const shape = [lengths.length, longest, ...inner];
  return sizeOf(shape) === data.length ? { shape, data } : { shape, data, lengths };
}
