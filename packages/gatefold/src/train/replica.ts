import type { Model } from '@gatefold/runtime';
import type { Task } from '../data/index.ts';
import type { Backend } from './backend/types.ts';
import type { TrainBatch } from './batches.ts';
import type { CodingOptions } from './coded.ts';
import { TrainGraph } from './graph.ts';
import { applyLoss, type Head, headOf, type LossOptions } from './losses.ts';
import { Parameters } from './parameters.ts';
import { randomFor } from './random.ts';
import { Teacher, type TeacherOptions } from './teacher.ts';
import type { BlankChoice } from './transcripts.ts';

/** What every thread of a run needs to know: plain data, to be sent to a worker. */
export interface ReplicaSpec extends BlankChoice {
  readonly model: Model;
  readonly task: Task;
  readonly seed: number;
  /** Names of the weights that change; default all. */
  readonly trained?: readonly string[];
  readonly coded?: Model;
  readonly coding?: CodingOptions;
  /** Updates of the whole run, for what changes on the way. */
  readonly updates?: number;
  readonly teacher?: TeacherOptions;
  readonly loss: LossOptions;
  readonly dropout: number;
  readonly recurrentDropout: number;
}

/** The model in one thread: computes gradients of the part of a batch that it is given. */
export class Replica {
  readonly backend: Backend;
  readonly parameters: Parameters;
  readonly graph: TrainGraph;
  private readonly spec: ReplicaSpec;
  private readonly head: Head;
  private readonly teacher: Teacher | undefined;
  /** Which of the threads it is; draws differ. */
  private readonly index: number;

  constructor(backend: Backend, spec: ReplicaSpec, index = 0) {
    const { model, task, trained, coded, coding, teacher, loss } = spec;
    this.backend = backend;
    this.spec = spec;
    this.index = index;
    const names = trained && new Set(trained);
    this.parameters = new Parameters(backend, model, {
      ...(names ? { which: (name: string) => names.has(name) } : {}),
      ...(coded ? { coded } : {}),
      ...(coding ? { coding } : {}),
    });
    this.head = headOf(model, task, loss, spec.blank === undefined ? {} : { blank: spec.blank });
    this.graph = new TrainGraph(model, this.head.value);
    this.teacher = teacher && new Teacher(backend, teacher, task);
  }

  /**
   * The mean loss of the examples, and its gradient in the parameters, both times `share`. `step` counts the run's updates.
   * Frees what it took.
   */
  gradients(batch: TrainBatch, step: number, share = 1): number {
    const { backend, parameters, graph, spec } = this;
    const { dropout, recurrentDropout, loss: options, seed, updates } = spec;
    const mark = backend.mark();
    if (batch.first) graph.reset();
    parameters.prepare(updates === undefined ? 1 : step / updates);
    const forward = graph.forward(backend, parameters, batch.inputs, {
      ...{ batch: batch.batch, carry: batch.carry, dropout, recurrentDropout, training: true },
      ...(batch.lengths ? { lengths: batch.lengths } : {}),
      random: dropout > 0 || recurrentDropout > 0 ? randomFor(seed, 2, step, this.index) : undefined,
    });
    const soft = this.teacher?.targets(batch);
    const loss = share * applyLoss(forward, this.head, batch, options, soft);
    if (share !== 1) {
      const slope = forward.output.v.gradient();
      backend.scaled(share, slope, slope, false);
    }
    if (Number.isFinite(loss)) forward.tape.backward();
    parameters.finish();
    backend.release(mark);
    return loss;
  }
}
