import { fail, GatefoldError } from '@gatefold/runtime';
import { parse } from 'csv-parse/browser/esm/sync';
import { checkDataset, type Dataset, type Task } from './dataset.ts';

interface CsvOptions {
  readonly target?: string;
  readonly window?: number;
  readonly task?: Task;
}

/** A table with its numbers read; the target's cells are left as they stand. */
interface Table {
  readonly features: readonly string[];
  readonly values: number[];
  readonly goal: string;
  readonly words: string[];
  /** The line of each row in the file, from 1. */
  readonly lines: number[];
}

/** Windows overlap: together they may take so many values. */
const largest = 2 ** 28;
const numeral = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** How programs write that a number is missing or has overflown: never a label. */
const noNumber = /^[+-]?(nan|inf|infinity)$/i;

/**
 * Columns of numbers; the target is the last column of a window's last row (with task `label`, of each of its rows).
 * Targets that are words become class numbers.
 * @throws DATA_INVALID naming line and column
 */
export function fromCsv(name: string, text: string, { target, window = 1, task }: CsvOptions): Dataset {
  if (!(window >= 1)) fail('DATA_INVALID', 'a window needs at least one row', { place: name, found: `${window}` });
  const { features, values, goal, words, lines } = readTable(name, text, target);
  const count = words.length - window + 1;
  if (words.length === 0) fail('DATA_INVALID', 'the table has a header and no rows', { place: name });
  if (count < 1) {
    fail('DATA_INVALID', 'fewer rows than a window', { place: name, expected: `${window}`, found: `${words.length}` });
  }
  const size = window * features.length;
  if (count * size > largest) {
    fail('DATA_INVALID', 'the windows take too much memory', {
      place: name,
      expected: `at most ${largest} values`,
      found: `${count} windows of ${size}`,
    });
  }
  const rows = Float32Array.from(values);
  const data = new Float32Array(count * size);
  for (let i = 0; i < count; i++) data.set(rows.subarray(i * features.length, i * features.length + size), i * size);
  const { numbers, classes } = targetsOf(name, goal, words, lines, task);
  const labels = numbers.every((value) => Number.isInteger(value) && value >= 0);
  const perStep = task === 'label' && window > 1;
  const targets = perStep
    ? numbers.slice(0, count).flatMap((_, i) => numbers.slice(i, i + window))
    : numbers.slice(window - 1);
  return checkDataset({
    name,
    task: task ?? (labels ? 'classify' : 'regress'),
    count,
    inputs: { x: { shape: window === 1 ? [count, features.length] : [count, window, features.length], data } },
    targets: { shape: perStep ? [count, window] : [count], data: Float32Array.from(targets) },
    ...(classes ? { classes } : {}),
  });
}

function readTable(name: string, text: string, target: string | undefined): Table {
  let table: Table | undefined;
  let columns: readonly string[] = [];
  const onRecord = (cells: readonly string[], { lines: line }: { readonly lines: number }): null => {
    if (!table) {
      columns = cells;
      table = headerOf(name, line, cells, target);
      return null;
    }
    const { goal, values, words, lines } = table;
    const place = (column: string) => `${name}: line ${line}, column ${column}`;
    if (cells.length !== columns.length) {
      fail('DATA_INVALID', 'a row has not as many cells as the header', {
        place: `${name}: line ${line}`,
        expected: `${columns.length}`,
        found: `${cells.length}`,
      });
    }
    for (const [c, column] of columns.entries()) {
      const cell = cells[c]!;
      if (cell === '') fail('DATA_INVALID', 'a cell is empty', { place: place(column) });
      if (column === goal) words.push(cell);
      else if (!numeral.test(cell)) {
        fail('DATA_INVALID', 'a cell is no number', { place: place(column), found: JSON.stringify(cell) });
      } else if (!Number.isFinite(Math.fround(Number(cell)))) {
        fail('DATA_INVALID', 'a number is too large for float32', { place: place(column), found: cell });
      } else values.push(Number(cell));
    }
    lines.push(line);
    return null;
  };
  try {
    parse(text, { skip_empty_lines: true, trim: true, relax_column_count: true, on_record: onRecord });
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    const { message, lines } = error as Error & { lines?: number };
    fail('DATA_INVALID', 'the CSV cannot be read', {
      place: lines === undefined ? name : `${name}: line ${lines}`,
      found: message.split(':')[0]!,
    });
  }
  return table ?? fail('DATA_INVALID', 'the table is empty', { place: name });
}

function headerOf(name: string, line: number, columns: readonly string[], target: string | undefined): Table {
  const place = `${name}: line ${line}`;
  const unnamed = columns.indexOf('');
  if (unnamed >= 0) {
    fail('DATA_INVALID', 'a column has no name', {
      place: `${place}, column ${unnamed + 1}`,
      hint: 'pandas writes its index so: use to_csv(…, index=False)',
    });
  }
  const twice = columns.find((column, i) => columns.indexOf(column) !== i);
  if (twice !== undefined) fail('DATA_INVALID', `two columns have the name "${twice}"`, { place });
  if (columns.every((column) => numeral.test(column))) {
    fail('DATA_INVALID', 'the first line must name the columns', { place, found: columns.slice(0, 5).join(', ') });
  }
  const goal = target ?? columns.at(-1)!;
  if (!columns.includes(goal)) {
    fail('DATA_INVALID', `there is no column "${goal}"`, { place, expected: columns.join(', ') });
  }
  const features = columns.filter((column) => column !== goal);
  if (features.length === 0) {
    fail('DATA_INVALID', 'the table has no column but the one to predict', { place, found: goal });
  }
  return { features, goal, values: [], words: [], lines: [] };
}

/** Numbers as they are; labels, none of which is a number, as class numbers in the order of the alphabet. */
function targetsOf(
  name: string,
  goal: string,
  words: readonly string[],
  lines: readonly number[],
  task: Task | undefined,
): { numbers: readonly number[]; classes?: readonly string[] } {
  const refuse = (row: number, message: string, hint?: string): never =>
    fail('DATA_INVALID', message, {
      place: `${name}: line ${lines[row]}, column ${goal}`,
      found: JSON.stringify(words[row]),
      ...(hint ? { hint } : {}),
    });
  const missing = words.findIndex((word) => noNumber.test(word));
  if (missing >= 0) refuse(missing, 'a target is not finite');
  const count = words.filter((word) => numeral.test(word)).length;
  if (count === words.length) {
    const numbers = words.map(Number);
    const odd = numbers.findIndex((value) => !Number.isFinite(Math.fround(value)));
    if (odd >= 0) refuse(odd, 'a target is too large for float32');
    return { numbers };
  }
  const word = words.findIndex((cell) => !numeral.test(cell));
  if (task === 'regress') refuse(word, 'a target is no number');
  const asked = task === 'classify' || task === 'label';
  if (count > 0 && (!asked || count * 2 > words.length)) {
    // The rarer kind is the odd one.
    if (count * 2 > words.length) refuse(word, 'a target is no number, as most of its column are');
    refuse(
      words.findIndex((cell) => numeral.test(cell)),
      'a target is a number among labels',
      '--task classify takes every cell as a label',
    );
  }
  const classes = [...new Set(words)].sort();
  const ids = new Map(classes.map((label, id) => [label, id]));
  return { numbers: words.map((label) => ids.get(label)!), classes };
}
