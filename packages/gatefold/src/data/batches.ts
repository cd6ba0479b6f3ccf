import { sizeOf } from '@gatefold/runtime';
import type { Dataset, Examples } from './dataset.ts';

/** Arrays as `session.run` takes them. */
export interface Batch {
  /** Examples that came before. */
  readonly from: number;
  readonly batch: number;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  /** Their numbers in the data, where they are not the next ones. */
  readonly ids?: readonly number[];
  /** What is expected of the batch, where the data have targets. */
  readonly targets?: Float32Array;
}

/**
 * All examples, at most `size` at a time. Examples of one length come in order, as views: nothing is copied. Examples of
 * different lengths come shortest first, each batch with its own length, so that nothing needs padding.
 */
export function* batches(dataset: Dataset, size: number): Generator<Batch> {
  let from = 0;
  for (const picked of groupsOf(dataset, size)) {
    const cut = (examples: Examples) =>
      picked.ids ? gather(examples, picked.ids) : viewOf(examples, dataset.count, from, from + picked.batch);
    yield {
      from,
      batch: picked.batch,
      ...(picked.ids ? { ids: picked.ids } : {}),
      inputs: Object.fromEntries(Object.entries(dataset.inputs).map(([name, examples]) => [name, cut(examples)])),
      ...(dataset.targets ? { targets: cut(dataset.targets) } : {}),
    };
    from += picked.batch;
  }
}

/** Which examples make a batch; without ids the next ones. */
function* groupsOf(
  { inputs, targets, count }: Dataset,
  size: number,
): Generator<{ batch: number; ids?: readonly number[] }> {
  const all = [...Object.values(inputs), ...(targets ? [targets] : [])];
  if (all.every(({ lengths }) => lengths === undefined)) {
    for (let from = 0; from < count; from += size) yield { batch: Math.min(size, count - from) };
    return;
  }
  const groups = new Map<string, { key: readonly number[]; ids: number[] }>();
  for (let id = 0; id < count; id++) {
    const key = all.map(({ lengths }) => lengths?.[id] ?? 0);
    const group = groups.get(key.join()) ?? { key, ids: [] };
    group.ids.push(id);
    groups.set(key.join(), group);
  }
  const sorted = [...groups.values()].sort((a, b) => {
    const differs = a.key.findIndex((steps, i) => steps !== b.key[i]);
    return a.key[differs]! - b.key[differs]!;
  });
  for (const { ids } of sorted) {
    for (let i = 0; i < ids.length; i += size) {
      const some = ids.slice(i, i + size);
      yield { batch: some.length, ids: some };
    }
  }
}

/** Where example `id` starts in the data; `count` for its end. */
function startOf({ shape, data, lengths }: Examples, id: number): number {
  if (!lengths) return (data.length / shape[0]!) * id;
  return startsOf(lengths)[id]! * sizeOf(shape.slice(2));
}

const known = new WeakMap<readonly number[], Float64Array>();

function startsOf(lengths: readonly number[]): Float64Array {
  let starts = known.get(lengths);
  if (!starts) {
    starts = new Float64Array(lengths.length + 1);
    for (const [i, steps] of lengths.entries()) starts[i + 1] = starts[i]! + steps;
    known.set(lengths, starts);
  }
  return starts;
}

function gather(examples: Examples, ids: readonly number[]): Float32Array {
  const parts = ids.map((id) => examples.data.subarray(startOf(examples, id), startOf(examples, id + 1)));
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function viewOf({ data }: Examples, count: number, from: number, to: number): Float32Array {
  const each = data.length / count;
  return data.subarray(from * each, to * each);
}

/** Examples `from` … `to` − 1. */
export function sliceDataset(dataset: Dataset, from: number, to: number): Dataset {
  const cut = (examples: Examples): Examples => ({
    shape: [to - from, ...examples.shape.slice(1)],
    data: examples.data.subarray(startOf(examples, from), startOf(examples, to)),
    ...(examples.lengths ? { lengths: examples.lengths.slice(from, to) } : {}),
  });
  const inputs = Object.fromEntries(Object.entries(dataset.inputs).map(([name, examples]) => [name, cut(examples)]));
  return { ...dataset, count: to - from, inputs, ...(dataset.targets ? { targets: cut(dataset.targets) } : {}) };
}

/** Steps `from` … `to` − 1 of the one sequence that the data set is; undefined where it is something else. */
export function sliceSteps(dataset: Dataset, from: number, to: number): Dataset | undefined {
  const all = [...Object.values(dataset.inputs), ...(dataset.targets ? [dataset.targets] : [])];
  const steps = all[0]?.shape[1];
  if (dataset.count !== 1 || steps === undefined || all.some(({ shape }) => shape[1] !== steps)) return undefined;
  const cut = ({ shape, data }: Examples): Examples => {
    const each = data.length / steps;
    return { shape: [1, to - from, ...shape.slice(2)], data: data.subarray(from * each, to * each) };
  };
  const inputs = Object.fromEntries(Object.entries(dataset.inputs).map(([name, examples]) => [name, cut(examples)]));
  return { ...dataset, inputs, ...(dataset.targets ? { targets: cut(dataset.targets) } : {}) };
}

/** The examples in another order, or some of them. */
export function reordered(dataset: Dataset, ids: readonly number[]): Dataset {
  const pick = (examples: Examples): Examples => ({
    shape: [ids.length, ...examples.shape.slice(1)],
    data: gather(examples, ids),
    ...(examples.lengths ? { lengths: ids.map((id) => examples.lengths![id]!) } : {}),
  });
  const inputs = Object.fromEntries(Object.entries(dataset.inputs).map(([name, examples]) => [name, pick(examples)]));
  return { ...dataset, count: ids.length, inputs, ...(dataset.targets ? { targets: pick(dataset.targets) } : {}) };
}

/** Some examples as one array [examples, steps of the longest, …], and their lengths where these differ. */
export function padTogether(
  examples: Examples,
  ids: readonly number[],
): { readonly data: Float32Array; readonly lengths?: readonly number[] } {
  const lengths = examples.lengths && ids.map((id) => examples.lengths![id]!);
  const longest = lengths?.reduce((a, b) => Math.max(a, b), 0);
  if (!lengths || lengths.every((steps) => steps === longest)) return { data: gather(examples, ids) };
  const width = sizeOf(examples.shape.slice(2));
  const data = new Float32Array(ids.length * longest! * width);
  ids.forEach((id, i) => {
    const own = examples.data.subarray(startOf(examples, id), startOf(examples, id + 1));
    const from = i * longest! * width;
    data.set(own, from);
    const last = own.subarray(own.length - width);
    for (let t = lengths[i]!; t < longest!; t++) data.set(last, from + t * width);
  });
  return { data, lengths };
}
