import { analyse, ChunkRows, cellOf, fail, graphOf, OpContext, sizeOf } from '@gatefold/runtime';
import type { Dataset, Examples } from '../data/index.ts';
import { CountingBackend } from './backend/counting.ts';
import type { Backend } from './backend/types.ts';
import type { TrainBatch } from './batches.ts';
import { neededFor } from './graph.ts';
import { headOf } from './losses.ts';
import { Optimizer, type OptimizerOptions } from './optimizer.ts';
import { Replica, type ReplicaSpec } from './replica.ts';
import { isStepwise } from './states.ts';

/** Memory of a run, in bytes, of each of its threads. */
export interface MemoryPlan {
  /** All that will be allocated at once. */
  readonly bytes: number;
  /** Of it: weights, their gradients, and what the optimizer keeps of them. */
  readonly parameters: number;
  /** Of it: what the largest batch takes on its way there and back. */
  readonly batch: number;
  /**
   * What must be kept, by arithmetic: the parameters; of the largest batch the inputs, the output of every layer and its
   * gradient, gates and cell states of recurrent layers.
   */
  readonly kept: number;
}

export interface PlannedRun {
  readonly spec: ReplicaSpec;
  readonly dataset: Dataset;
  readonly optimizer: OptimizerOptions;
  readonly batch: number;
  readonly window: number;
  /** Threads that share every batch. */
  readonly threads: number;
}

/** Numbers that are allocated at once, and how many of them before any batch. */
interface Count {
  readonly peak: number;
  readonly parameters: number;
}

/** Batches of so many examples go through the model with a backend that only counts. */
function count({ spec, dataset, optimizer, threads }: PlannedRun, largest: Largest): Count {
  const counting = new CountingBackend();
  const replica = new Replica(counting, spec);
  new Optimizer(counting, replica.parameters, optimizer);
  const parameters = counting.mark();
  const batch = batchOf(dataset, largest);
  replica.gradients(batch, 0);
  if (batch.carry) replica.gradients({ ...batch, first: false }, 1);
  // Gradients of other threads arrive one matrix at a time.
  const most = Math.max(...replica.parameters.trained.map(({ value }) => value.rows * value.cols));
  if (threads > 1) counting.alloc(1, most);
  return { peak: counting.peak, parameters };
}

/**
 * What a run will need: known exactly, before there is any memory.
 * @throws MEMORY_LIMIT, with the arithmetic, where `backend` may not take so much
 */
export function planMemory(run: PlannedRun, backend: Backend): MemoryPlan {
  const bytes = backend.name === 'float64' ? 8 : 4;
  const largest = largestBatch(run);
  // What the backend has taken for itself.
  const room = backend.limit - backend.mark();
  const kept = keptOfBatch(run, largest);
  // Where not even that fits, the batch is not made for trying.
  if (kept > room) refuse(run, largest, undefined, room, bytes);
  const counted = count(run, largest);
  if (counted.peak > room) refuse(run, largest, counted, room, bytes);
  const { peak, parameters } = counted;
  return {
    bytes: bytes * (backend.mark() + peak),
    parameters: bytes * parameters,
    batch: bytes * (peak - parameters),
    kept: bytes * (parameters + kept),
  };
}

/** Sizes of the largest batch that a thread sees. */
interface Largest {
  readonly examples: number;
  /** By input; 1 without time. */
  readonly steps: Readonly<Record<string, number>>;
  readonly streams: boolean;
}

function largestBatch({ dataset, batch, window, threads }: PlannedRun): Largest {
  const streams = dataset.task === 'language' && dataset.count === 1;
  const whole = streams ? batch : Math.min(batch, dataset.count);
  const steps = ({ shape }: Examples) => (streams ? Math.min(window, Math.ceil(shape[1]! / batch)) : (shape[1] ?? 1));
  return {
    examples: Math.ceil(whole / threads),
    steps: Object.fromEntries(Object.entries(dataset.inputs).map(([name, examples]) => [name, steps(examples)])),
    streams,
  };
}

/** Such a batch; its numbers do not matter. */
function batchOf({ inputs, targets }: Dataset, { examples, steps, streams }: Largest): TrainBatch {
  const zeros = ({ shape }: Examples, length: number) =>
    new Float32Array(examples * (shape.length > 1 ? length * sizeOf(shape.slice(2)) : 1));
  const lengths = Object.entries(inputs).flatMap(([name, { lengths }]) =>
    lengths ? [[name, new Array<number>(examples).fill(steps[name]!)] as const] : [],
  );
  const wanted = targets!;
  const own = streams ? Object.values(steps)[0]! : (wanted.shape[1] ?? 1);
  return {
    batch: examples,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, given]) => [name, zeros(given, steps[name]!)])),
    ...(lengths.length > 0 ? { lengths: Object.fromEntries(lengths) } : {}),
    targets: zeros(wanted, own),
    ...(wanted.lengths ? { targetLengths: new Array<number>(examples).fill(own) } : {}),
    ...{ carry: streams, first: true },
  };
}

/** Numbers that a batch must leave behind on its way there, for the way back. */
function keptOfBatch({ spec }: PlannedRun, { examples, steps }: Largest): number {
  const { model } = spec;
  const { graph } = graphOf(model);
  const { times, values } = analyse(model);
  const { rows } = new ChunkRows(times).count(steps, 0);
  const calls = isStepwise(graph) ? Math.max(...Object.values(steps)) : 1;
  const sizeOfValue = (value: string) => {
    const { time, shape } = values.get(value)!;
    return examples * calls * rows[time]! * sizeOf(shape);
  };
  const views = new Set(['last', 'slice', 'reshape', 'mask']);
  let kept = graph.inputs.reduce((sum, { name }) => sum + sizeOfValue(name), 0);
  for (const node of neededFor([headOf(model, spec.task, spec.loss).value], graph.nodes)) {
    if (node.op === 'recurrent') {
      const { cell, options } = cellOf(new OpContext(node, model, values, [...times]));
      const { time } = values.get(node.inputs.x!)!;
      // Of a GRU that resets afterwards also what is reset.
      const inner = cell.gates(options).length + cell.states.length - 1 + Number(options.resetAfter);
      kept += examples * rows[time]! * options.units * inner;
    }
    if (!views.has(node.op) && node.outputs.y !== undefined) kept += 2 * sizeOfValue(node.outputs.y);
  }
  return kept;
}

function refuse(run: PlannedRun, largest: Largest, counted: Count | undefined, room: number, bytes: number): never {
  const { examples, steps } = largest;
  const alone = count(run, { ...largest, examples: 1 });
  const each = (count(run, { ...largest, examples: 9 }).peak - alone.peak) / 8;
  const peak = counted?.peak ?? alone.peak + (examples - 1) * each;
  let fits = Math.min(examples - 1, Math.floor((room - alone.peak) / each) + 1);
  while (fits > 0 && count(run, { ...largest, examples: fits }).peak > room) fits--;
  const shown = (numbers: number) =>
    `${((bytes * numbers) / 1e6).toLocaleString('en-US', { maximumFractionDigits: 1 })} MB`;
  return fail('MEMORY_LIMIT', 'training would need more memory than there may be', {
    place: run.spec.model.name,
    expected: `at most ${shown(room)}`,
    found:
      `${shown(peak)}: ${shown(alone.parameters)} for weights, gradients and moments, and ${shown(peak - alone.parameters)} ` +
      `for ${examples} examples of ${Math.max(...Object.values(steps))} steps, ${shown(each)} each`,
    hint: fits > 0 ? `batches of ${fits * run.threads} would fit` : 'shorter sequences or a smaller model are needed',
  });
}
