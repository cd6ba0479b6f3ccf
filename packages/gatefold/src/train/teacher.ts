import { fail, type Model } from '@gatefold/runtime';
import type { Task } from '../data/index.ts';
import type { Backend } from './backend/types.ts';
import type { TrainBatch } from './batches.ts';
import { TrainGraph } from './graph.ts';
import { headOf, type SoftTargets } from './losses.ts';
import { Parameters } from './parameters.ts';

/** Knowledge distillation (Hinton et al. 2015): the outputs of a model that was trained before are targets too. */
export interface TeacherOptions {
  readonly model: Model;
  /** Share of the loss that is the teacher's; default 0.5. */
  readonly share?: number;
  /** Default 2. */
  readonly temperature?: number;
}

/** Runs the teacher beside the student. */
export class Teacher {
  private readonly backend: Backend;
  private readonly parameters: Parameters;
  private readonly graph: TrainGraph;
  private readonly share: number;
  private readonly temperature: number;

  /** @throws OPTION_INVALID for a task whose outputs are no distribution */
  constructor(backend: Backend, { model, share = 0.5, temperature = 2 }: TeacherOptions, task: Task) {
    if (task === 'binary' || task === 'regress') {
      fail('OPTION_INVALID', 'a teacher teaches classes', { place: '--teacher', found: `--task ${task}` });
    }
    this.backend = backend;
    this.parameters = new Parameters(backend, model, { which: 'none' });
    this.graph = new TrainGraph(model, headOf(model, task, {}).value);
    this.share = share;
    this.temperature = temperature;
  }

  targets({ inputs, batch, lengths, carry, first }: TrainBatch): SoftTargets {
    const { backend, share, temperature } = this;
    if (first) this.graph.reset();
    const { output } = this.graph.forward(backend, this.parameters, inputs, {
      ...{ batch, carry },
      ...(lengths ? { lengths } : {}),
    });
    const probabilities = backend.alloc(output.v.value.rows, output.v.value.cols);
    backend.scaled(1 / temperature, output.v.value, probabilities, false);
    backend.softmax(probabilities, probabilities);
    return { probabilities, share, temperature };
  }
}
