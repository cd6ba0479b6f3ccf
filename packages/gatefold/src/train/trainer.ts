import { fail, type Model } from '@gatefold/runtime';
import { type Dataset, fitToModel } from '../data/index.ts';
import type { Backend } from './backend/types.ts';
import { WasmBackend } from './backend/wasm.ts';
import { type BatchSource, batchSource, type TrainBatch } from './batches.ts';
import { type Checkpoint, checkpointKey } from './checkpoint.ts';
import type { CodingOptions } from './coded.ts';
import type { LossOptions } from './losses.ts';
import { type MemoryPlan, planMemory } from './memory.ts';
import { Optimizer, type OptimizerOptions } from './optimizer.ts';
import { Team, type Workers } from './parallel.ts';
import type { Parameters } from './parameters.ts';
import { Replica, type ReplicaSpec } from './replica.ts';
import { rateFactor, type ScheduleOptions } from './schedule.ts';
import type { TeacherOptions } from './teacher.ts';
import { checkTranscripts } from './transcripts.ts';

export interface TrainOptions {
  readonly epochs: number;
  /** Examples per step; for texts, streams side by side. Default 32. */
  readonly batch?: number;
  /** Steps through which a text is differentiated; default 64. */
  readonly window?: number;
  readonly seed?: number;
  readonly optimizer?: OptimizerOptions;
  readonly schedule?: ScheduleOptions;
  readonly loss?: LossOptions;
  /** Share of the inputs of inner recurrent and dense layers that is zeroed. */
  readonly dropout?: number;
  /** Share of the recurrent state that is zeroed, the same at all steps. */
  readonly recurrentDropout?: number;
  /** Average the weights of all steps from this epoch on (ASGD, Polyak & Juditsky 1992); counted from 0. */
  readonly averageFrom?: number;
  /** Stop after so many epochs without a better validation. */
  readonly patience?: number;
  /** Which weights change; default all. */
  readonly trained?: (name: string) => boolean;
  /** The model as it shall be saved: weights that are coded there are trained as their codes (quantization-aware training). */
  readonly coded?: Model;
  readonly coding?: CodingOptions;
  /** Soft targets from another model. */
  readonly teacher?: TeacherOptions;
  /** Judges the model as it would be saved; smaller is better. The best one is kept. */
  readonly validate?: (model: Model) => Promise<number> | number;
  /** The first epoch that may be the best (counted from 0): earlier ones are not yet what is wanted. */
  readonly bestFrom?: number;
  /** Acts on the weights after every update. */
  readonly companion?: Companion;
  /** After every so many steps a checkpoint goes to `onCheckpoint`; also at the end of every epoch. */
  readonly checkpointEvery?: number;
  readonly onCheckpoint?: (checkpoint: Checkpoint) => Promise<void> | void;
  /** Its `engine` tells whether the run goes on with the bits that it would have had. */
  readonly resume?: Checkpoint;
  readonly onEvent?: (event: TrainEvent) => void;
  /** Ends the run after the step under way, with what was reached. */
  readonly signal?: AbortSignal;
  /** Threads that share the work of every batch; results depend on how many there are, not on their speed. */
  readonly workers?: Workers;
  /** Arithmetic; default the kernels in WebAssembly. */
  readonly backend?: Backend;
}

/** Something that acts on the weights while they are trained: scheduled pruning, proximal steps. Deterministic. */
export interface Companion {
  /** After an update (counted from 1) with the rate that it had; gradients are still those of the update. */
  afterUpdate(parameters: Parameters, backend: Backend, state: { step: number; total: number; rate: number }): void;
  /** What it needs to go on later with the same bits, by name. */
  snapshot?(backend: Backend): ReadonlyMap<string, Float32Array>;
  restore?(values: ReadonlyMap<string, Float32Array>, parameters: Parameters, backend: Backend): void;
}

export type TrainEvent =
  | {
      readonly kind: 'step';
      readonly epoch: number;
      readonly step: number;
      readonly total: number;
      readonly loss: number;
      readonly gradientNorm: number;
      readonly rateFactor: number;
    }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      /** Mean over the epoch's steps. */
      readonly loss: number;
      readonly validation?: number;
      readonly best: boolean;
      readonly seconds: number;
    };

export interface TrainResult {
  /** The best by validation, or without one the last. */
  readonly model: Model;
  readonly epochs: number;
  readonly steps: number;
  readonly interrupted: boolean;
  readonly bestValidation?: number;
  /** Bytes of memory at the peak. */
  readonly peakBytes: number;
  /** What was reckoned with before. */
  readonly memory: MemoryPlan;
}

/**
 * Trains a model on data with targets: the same graph that runs, its weights as float32.
 * @throws DATA_INVALID, MODEL_UNSUPPORTED, MEMORY_LIMIT, TRAINING_DIVERGED
 */
export async function train(model: Model, dataset: Dataset, options: TrainOptions): Promise<TrainResult> {
  return new Run(model, fitToModel(dataset, model), options).all();
}

class Run {
  private readonly options: TrainOptions;
  private readonly backend: Backend;
  private readonly parameters: Parameters;
  private readonly replica: Replica;
  private readonly team: Team | undefined;
  private readonly optimizer: Optimizer;
  private readonly memory: MemoryPlan;
  private readonly source: BatchSource;
  private readonly key: string;
  /** Where the next step begins. */
  private epoch = 0;
  private index = 0;
  private lossSum = 0;
  private plateaus = 0;
  private sinceBest = 0;
  private bestValidation = Number.POSITIVE_INFINITY;
  private best: Map<string, Float32Array> | undefined;
  private average: { values: Map<string, Float32Array>; count: number } | undefined;

  constructor(model: Model, dataset: Dataset, options: TrainOptions) {
    const { batch = 32, window = 64, seed = 1, loss = {}, trained, coded, coding, teacher, workers } = options;
    const { dropout = 0, recurrentDropout = 0 } = options;
    this.options = options;
    this.source = batchSource(dataset, { batch, window, seed });
    const spec: ReplicaSpec = {
      ...{ model, task: dataset.task, seed, loss, dropout, recurrentDropout },
      ...(trained ? { trained: Object.keys(model.weights).filter(trained) } : {}),
      ...(coded ? { coded } : {}),
      ...(coding ? { coding, updates: this.total } : {}),
      ...(teacher ? { teacher } : {}),
      ...(dataset.blank === undefined ? {} : { blank: dataset.blank }),
    };
    if (dataset.task === 'transcribe') checkTranscripts(model, dataset);
    this.backend = options.backend ?? new WasmBackend();
    // A page that is not isolated has no memory to share: one thread does it all.
    const count = typeof SharedArrayBuffer === 'undefined' ? 0 : (workers?.count ?? 0);
    const { optimizer = { name: 'adam' } } = options;
    this.memory = planMemory({ spec, dataset, optimizer, batch, window, threads: count + 1 }, this.backend);
    this.replica = new Replica(this.backend, spec);
    this.parameters = this.replica.parameters;
    this.optimizer = new Optimizer(this.backend, this.parameters, optimizer);
    this.key = checkpointKey(this.parameters, { batch, window, seed, perEpoch: this.source.perEpoch, workers: count });
    if (workers && count > 0) this.team = new Team(this.replica, spec, workers);
    if (options.resume) this.resume(options.resume);
  }

  private get total(): number {
    return this.source.perEpoch * this.options.epochs;
  }

  private get step(): number {
    return this.epoch * this.source.perEpoch + this.index;
  }

  private get stopping(): boolean {
    return this.options.signal?.aborted === true;
  }

  async all(): Promise<TrainResult> {
    try {
      return await this.epochs();
    } finally {
      this.team?.close();
    }
  }

  private async epochs(): Promise<TrainResult> {
    const { epochs, patience } = this.options;
    let turn = Date.now();
    while (this.epoch < epochs && !this.stopping) {
      const started = Date.now();
      let index = 0;
      for (const batch of this.source.epoch(this.epoch)) {
        if (index++ < this.index) continue;
        await this.one(batch);
        // An interrupt can arrive, and progress be shown, only between turns of the event loop.
        if (Date.now() - turn > 50) {
          await new Promise((resolve) => setTimeout(resolve));
          turn = Date.now();
        }
        if (this.stopping) break;
      }
      if (this.index < this.source.perEpoch) break;
      await this.endEpoch((Date.now() - started) / 1000);
      if (patience !== undefined && this.sinceBest >= patience) break;
    }
    if (this.stopping) await this.checkpoint();
    return this.result();
  }

  private async one(batch: TrainBatch): Promise<void> {
    const { options, step } = this;
    const { loss, norm, factor } = await this.update(batch);
    this.index++;
    this.lossSum += loss;
    options.onEvent?.({
      kind: 'step',
      ...{ epoch: this.epoch, step: step + 1, total: this.total, loss },
      ...{ gradientNorm: norm, rateFactor: factor },
    });
    if (options.averageFrom !== undefined && this.epoch >= options.averageFrom) this.addToAverage();
    if (options.checkpointEvery && (step + 1) % options.checkpointEvery === 0) await this.checkpoint();
  }

  /** Forward, backward, update. */
  private async update(batch: TrainBatch): Promise<{ loss: number; norm: number; factor: number }> {
    const { parameters, options, step, team } = this;
    const loss = team ? await team.gradients(batch, step) : this.replica.gradients(batch, step);
    if (!Number.isFinite(loss)) this.diverged('the loss is no longer a number', loss);
    parameters.dropRemoved();
    const norm = parameters.gradientNorm();
    if (!Number.isFinite(norm)) this.diverged('the gradient is no longer finite', norm);
    const state = { step, total: this.total, epoch: this.epoch, plateaus: this.plateaus };
    const factor = rateFactor(options.schedule ?? { name: 'constant' }, state);
    const rate = this.optimizer.step(factor, norm);
    options.companion?.afterUpdate(parameters, this.backend, { step: step + 1, total: this.total, rate });
    return { loss, norm, factor };
  }

  private diverged(message: string, found: number): never {
    return fail('TRAINING_DIVERGED', message, {
      place: `epoch ${this.epoch + 1}, step ${this.index + 1}`,
      found: String(found),
      hint: 'lower the learning rate or the gradient clipping; the last checkpoint holds good weights',
    });
  }

  private addToAverage(): void {
    const now = this.parameters.snapshot();
    if (!this.average) {
      this.average = { values: now, count: 1 };
      return;
    }
    const count = ++this.average.count;
    for (const [name, values] of this.average.values) {
      const current = now.get(name)!;
      for (let i = 0; i < values.length; i++) values[i]! += (current[i]! - values[i]!) / count;
    }
  }

  /** What would be saved now. */
  private current(): Map<string, Float32Array> {
    return this.average ? copyOf(this.average.values) : this.parameters.snapshot();
  }

  private async endEpoch(seconds: number): Promise<void> {
    const { validate, onEvent, schedule, bestFrom = 0 } = this.options;
    const loss = this.lossSum / this.source.perEpoch;
    const values = this.current();
    const validation = await validate?.(this.parameters.bake(values));
    const counts = validation !== undefined && this.epoch >= bestFrom;
    const isBest = counts && validation < this.bestValidation;
    if (isBest) {
      this.bestValidation = validation;
      this.best = copyOf(values);
      this.sinceBest = 0;
    } else if (counts) {
      this.sinceBest++;
      if (schedule?.name === 'plateau' && this.sinceBest % (schedule.every ?? 1) === 0) this.plateaus++;
    }
    onEvent?.({
      kind: 'epoch',
      ...{ epoch: this.epoch, loss, best: isBest, seconds },
      ...(validation === undefined ? {} : { validation }),
    });
    this.epoch++;
    this.index = 0;
    this.lossSum = 0;
    await this.checkpoint();
  }

  private async checkpoint(): Promise<void> {
    if (!this.options.onCheckpoint) return;
    await this.options.onCheckpoint({
      ...{ key: this.key, engine: this.backend.name },
      numbers: {
        ...{ epoch: this.epoch, index: this.index, lossSum: this.lossSum, plateaus: this.plateaus },
        ...{ sinceBest: this.sinceBest, bestValidation: this.bestValidation, updates: this.optimizer.steps },
        averaged: this.average?.count ?? 0,
      },
      values: this.parameters.snapshot(),
      moments: this.optimizer.snapshot(),
      ...(this.best ? { best: this.best } : {}),
      // The average goes on changing; all else is made anew.
      ...(this.average ? { average: copyOf(this.average.values) } : {}),
      ...(this.options.companion?.snapshot ? { companion: this.options.companion.snapshot(this.backend) } : {}),
      states: this.team ? await this.team.states() : [this.replica.graph.carriedStates()],
    });
  }

  private resume({ key, numbers, values, moments, best, average, companion, states }: Checkpoint): void {
    if (key !== this.key) {
      fail('STATE_INVALID', 'the checkpoint belongs to another model, data set or setting', {
        expected: this.key,
        found: key,
      });
    }
    this.parameters.restore(values);
    this.optimizer.restore(moments, numbers.updates);
    if (companion) this.options.companion?.restore?.(companion, this.parameters, this.backend);
    if (this.team) this.team.restore(states);
    else this.replica.graph.restoreStates(states[0] ?? new Map());
    this.epoch = numbers.epoch;
    this.index = numbers.index;
    this.lossSum = numbers.lossSum;
    this.plateaus = numbers.plateaus;
    this.sinceBest = numbers.sinceBest;
    this.bestValidation = numbers.bestValidation;
    this.best = best && new Map(best);
    this.average = average && { values: copyOf(average), count: numbers.averaged };
  }

  private result(): TrainResult {
    return {
      model: this.parameters.bake(this.best ?? this.current()),
      epochs: this.epoch,
      steps: this.step,
      interrupted: this.stopping,
      ...(Number.isFinite(this.bestValidation) ? { bestValidation: this.bestValidation } : {}),
      peakBytes: (this.backend.name === 'float64' ? 8 : 4) * this.backend.peak,
      memory: this.memory,
    };
  }
}

function copyOf(values: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  return new Map([...values].map(([name, data]) => [name, data.slice()]));
}
