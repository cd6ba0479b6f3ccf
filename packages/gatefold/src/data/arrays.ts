import { fail } from '@gatefold/runtime';
import { checkDataset, type Dataset, type Examples, type Task } from './dataset.ts';
import { type NpyArray, toFloat32 } from './npz.ts';

/**
 * Arrays of an archive by name. Arrays named `x[0]`, `x[1]`, … are the examples of an `x` whose sequences differ in
 * length.
 * @throws DATA_INVALID
 */
export function toExamples(arrays: Iterable<[string, NpyArray]>): Map<string, Examples> {
  const found = new Map<string, Examples>();
  const lists = new Map<string, Examples[]>();
  for (const [key, { shape, data }] of arrays) {
    const examples = { shape, data: toFloat32(data) };
    const [, name, index] = /^(.+)\[(\d+)\]$/.exec(key) ?? [];
    if (name === undefined) found.set(key, examples);
    else {
      const list = lists.get(name) ?? [];
      if (Number(index) > 1e6) fail('DATA_INVALID', 'the number of an example is too large', { place: key });
      list[Number(index)] = examples;
      lists.set(name, list);
    }
  }
  for (const [name, list] of lists) {
    if (found.has(name)) fail('DATA_INVALID', `there is an array "${name}" and a list of that name`, { place: name });
    found.set(name, joined(name, list));
  }
  return found;
}

function joined(name: string, list: readonly (Examples | undefined)[]): Examples {
  const first = list.find((item) => item !== undefined)!;
  const inner = first.shape.slice(1);
  const lengths: number[] = [];
  const parts: Float32Array[] = [];
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    const place = `${name}[${i}]`;
    if (!item) fail('DATA_INVALID', 'an example is missing', { place });
    const [steps] = item.shape;
    if (steps === undefined || steps < 1 || item.shape.slice(1).join() !== inner.join()) {
      fail('DATA_INVALID', 'examples have different shapes', {
        place,
        expected: `[${['any', ...inner].join(', ')}]`,
        found: `[${item.shape.join(', ')}]`,
      });
    }
    lengths.push(steps);
    parts.push(item.data);
  }
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
  const shape = [list.length, longest, ...inner];
  return lengths.every((steps) => steps === longest) ? { shape, data } : { shape, data, lengths };
}

/**
 * `y` holds the targets, everything else inputs. One-hot targets become class numbers, rows with any number of ones are
 * answers of their own; where labels per step are asked for, targets that have a value per step are labels, however they look.
 * @throws DATA_INVALID
 */
export function fromArrays(name: string, arrays: ReadonlyMap<string, Examples>, task: Task | undefined): Dataset {
  const { y, ...inputs } = Object.fromEntries(arrays) as Record<string, Examples>;
  const [first] = Object.values(inputs);
  const count = first?.shape[0] ?? 0;
  if (!y) return checkDataset({ name, task: task ?? 'custom', count, inputs });
  // Labels in order stay as they are: two of two classes are no one-hot row.
  if (task === 'transcribe') return checkDataset({ name, task, count, inputs, targets: y });
  const whole = y.data.every((value) => Number.isInteger(value) && value >= 0);
  const flat = y.shape.length === 2 && y.shape[1] === 1 && !y.lengths ? { ...y, shape: [y.shape[0]!] } : y;
  const perStep =
    (task === 'label' || task === 'language') && flat.shape.length === 2 && flat.shape[1] === first?.shape[1];
  const labels = whole && !perStep && isOneHot(flat) ? fromOneHot(flat) : flat;
  const inferred = whole ? inferredOf(labels) : 'regress';
  const chosen = task ?? inferred;
  return checkDataset({
    name,
    task: chosen,
    count,
    inputs,
    targets: chosen === 'regress' || chosen === 'binary' || chosen === 'custom' ? flat : labels,
  });
}

/** What whole numbers are, where nothing is said: rows per step hold answers, numbers per step labels. */
function inferredOf({ shape, data }: Examples): Task {
  if (shape.length === 1) return 'classify';
  return shape.length === 3 && data.every((value) => value <= 1) ? 'binary' : 'label';
}

function isOneHot({ shape, data, lengths }: Examples): boolean {
  const width = shape.at(-1)!;
  if (shape.length < (lengths ? 3 : 2) || width < 2) return false;
  for (let at = 0; at < data.length; at += width) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += data[at + i]!;
    if (sum !== 1) return false;
  }
  return true;
}

function fromOneHot({ shape, data, lengths }: Examples): Examples {
  const width = shape.at(-1)!;
  const labels = Float32Array.from({ length: data.length / width }, (_, r) =>
    data.subarray(r * width, (r + 1) * width).indexOf(1),
  );
  return { shape: shape.slice(0, -1), data: labels, ...(lengths ? { lengths } : {}) };
}
