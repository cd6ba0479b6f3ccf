import type { Model } from '@gatefold/runtime';
import type { Task } from '../data/index.ts';
import type { Backend } from './backend/types.ts';
import type { TrainBatch } from './batches.ts';
import { TrainGraph } from './graph.ts';
import { type Head, headOf, isDistribution, type SoftTargets } from './losses.ts';
import { Parameters } from './parameters.ts';

/** Knowledge distillation (Hinton et al. 2015): the outputs of a model that was trained before are targets too. */
export interface TeacherOptions {
  readonly model: Model;
  /** Share of the loss that is the teacher's; default 0.5. */
  readonly share?: number;
  /** Divides the logits of classes and of answers; default 2. Numbers have none. */
  readonly temperature?: number;
}

/** Runs the teacher beside the student. */
export class Teacher {
  private readonly backend: Backend;
  private readonly parameters: Parameters;
  private readonly graph: TrainGraph;
  private readonly head: Head;
  private readonly share: number;
  private readonly temperature: number;

  constructor(backend: Backend, { model, share = 0.5, temperature = 2 }: TeacherOptions, task: Task) {
    this.backend = backend;
    this.parameters = new Parameters(backend, model, { which: 'none' });
    this.head = headOf(model, task, {});
    this.graph = new TrainGraph(model, this.head.value);
    this.share = share;
    this.temperature = task === 'regress' ? 1 : temperature;
  }

  targets({ inputs, batch, lengths, carry, first }: TrainBatch): SoftTargets {
    const { backend, head, share, temperature } = this;
    if (first) this.graph.reset();
    const { output } = this.graph.forward(backend, this.parameters, inputs, {
      ...{ batch, carry },
      ...(lengths ? { lengths } : {}),
    });
    const targets = backend.alloc(output.v.value.rows, output.v.value.cols);
    backend.scaled(1 / temperature, output.v.value, targets, false);
    if (isDistribution(head.loss)) backend.softmax(targets, targets);
    if (head.loss === 'logistic') backend.unary(['sigmoid'], targets, targets);
    return { targets, share, temperature };
  }
}
