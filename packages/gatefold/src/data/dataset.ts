import { fail, graphOf, type Model, sizeOf } from '@gatefold/runtime';

/** One label per sequence, one per step, the next symbol of a text, numbers, or what a module evaluates itself. */
export type Task = 'classify' | 'label' | 'language' | 'regress' | 'custom';

/** A numeric array of many examples, row-major, examples first. */
export interface Examples {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Examples for a model: an array per input name, and what is expected of them. */
export interface Dataset {
  readonly name: string;
  readonly task: Task;
  readonly count: number;
  readonly inputs: Readonly<Record<string, Examples>>;
  /** Class numbers (classify: [N]; label, language: [N, time]) or values (regress); absent for calibration data. */
  readonly targets?: Examples;
  readonly classes?: readonly string[];
  /** A module's own metrics. */
  readonly evaluate?: (
    run: (inputs: Readonly<Record<string, Float32Array>>, batch: number) => Record<string, Examples>,
  ) => Record<string, number>;
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
  if (task !== 'regress' && task !== 'custom') {
    const odd = targets.data.findIndex((label) => !Number.isInteger(label) || label < 0);
    if (odd >= 0) {
      fail('DATA_INVALID', 'a label is no class number', {
        place: `${name}.y[${odd}]`,
        expected: 'a whole number from 0',
        found: String(targets.data[odd]),
      });
    }
  }
  return dataset;
}

function checkArray(place: string, { shape, data }: Examples, count: number): void {
  if (shape[0] !== count || sizeOf(shape) !== data.length) {
    fail('DATA_INVALID', 'arrays have different numbers of examples', {
      place,
      expected: `${count}`,
      found: `[${shape.join(', ')}]`,
    });
  }
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0)
    fail('DATA_INVALID', 'the data hold a value that is not finite', {
      place: `${place}[${odd}]`,
      found: String(data[odd]),
    });
}

/**
 * Names the arrays after the model's inputs (a single array may have any name) and checks their shapes.
 * @throws DATA_INVALID
 */
export function fitToModel(dataset: Dataset, model: Model): Dataset {
  const { graph } = graphOf(model);
  const ports = graph.inputs.filter((port) => !graph.states.some((state) => state.input === port.name));
  const given = Object.entries(dataset.inputs);
  const inputs = Object.fromEntries(
    ports.map((port) => {
      const found = dataset.inputs[port.name] ?? (ports.length === 1 && given.length === 1 ? given[0]![1] : undefined);
      if (!found) {
        fail('DATA_INVALID', `the data have no array for input "${port.name}"`, {
          place: dataset.name,
          found: given.map(([name]) => name).join(', '),
        });
      }
      const dims = port.shape.map((dim) => (typeof dim === 'number' ? dim : -1));
      const idShape = dims.at(-1) === 1 && found.shape.length === dims.length - 1;
      const fits =
        (idShape || found.shape.length === dims.length) && found.shape.every((n, i) => dims[i] === -1 || dims[i] === n);
      if (!fits) {
        fail('DATA_INVALID', `the data do not fit input "${port.name}"`, {
          place: dataset.name,
          expected: `[${port.shape.map((dim) => (dim === 'batch' ? dataset.count : dim)).join(', ')}]`,
          found: `[${found.shape.join(', ')}]`,
        });
      }
      return [port.name, found];
    }),
  );
  return { ...dataset, inputs };
}

/** Arrays as `session.run` takes them. */
export interface Batch {
  readonly from: number;
  readonly batch: number;
  readonly inputs: Readonly<Record<string, Float32Array>>;
}

/** The examples in order, `size` at a time. The arrays are views: nothing is copied. */
export function* batches({ inputs, count }: Dataset, size: number): Generator<Batch> {
  for (let from = 0; from < count; from += size) {
    const batch = Math.min(size, count - from);
    const views = Object.entries(inputs).map(([name, { data }]): [string, Float32Array] => {
      const each = data.length / count;
      return [name, data.subarray(from * each, (from + batch) * each)];
    });
    yield { from, batch, inputs: Object.fromEntries(views) };
  }
}

/** Examples `from` … `to` − 1. */
export function sliceDataset(dataset: Dataset, from: number, to: number): Dataset {
  const cut = ({ shape, data }: Examples): Examples => {
    const each = data.length / dataset.count;
    return { shape: [to - from, ...shape.slice(1)], data: data.subarray(from * each, to * each) };
  };
  const inputs = Object.fromEntries(Object.entries(dataset.inputs).map(([name, examples]) => [name, cut(examples)]));
  return { ...dataset, count: to - from, inputs, ...(dataset.targets ? { targets: cut(dataset.targets) } : {}) };
}
