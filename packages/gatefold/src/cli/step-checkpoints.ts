import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fail, type Model, readGatefold, writeGatefold } from '@gatefold/runtime';
import type { PassContext } from '../compress/index.ts';
import { checkOutput, readBytes, writeBytes } from '../node/files.ts';
import { bestBuild, type Checkpoint, readCheckpoint, writeCheckpoint } from '../train/index.ts';
import type { Context } from './context.ts';

/** The steps of a recipe that were finished: what they made, and what was said of each. */
interface Finished {
  readonly model: Model;
  readonly reports: readonly unknown[];
}

/**
 * Where the steps of a recipe that train leave what they can go on from: the training under way in one file, the model of the
 * last finished step in another beside it.
 */
export class StepCheckpoints {
  private readonly path: string;
  private readonly run: string;
  private readonly resume: Checkpoint | undefined;
  private readonly context: Context;
  /** Steps that an interrupted run finished. */
  readonly finished: Finished | undefined;
  /** Whether an interrupted run could go on. */
  saved = false;

  private constructor(context: Context, path: string, run: string, resume?: Checkpoint, finished?: Finished) {
    this.context = context;
    this.path = path;
    this.run = run;
    this.resume = resume;
    this.finished = finished;
  }

  /**
   * `run` differs where a finished step would not fit; `context` is told where training goes on by other kernels.
   * @throws FILE_READ where there is nothing to go on from, FILE_EXISTS where an earlier run's would be lost, STATE_INVALID
   */
  static async at(context: Context, path: string, resume: boolean, run = ''): Promise<StepCheckpoints> {
    const steps = besideFor(path);
    if (!resume) {
      checkOutput(path, context.force);
      checkOutput(steps, context.force);
      return new StepCheckpoints(context, path, run);
    }
    if (!existsSync(path) && !existsSync(steps)) {
      fail('FILE_READ', 'there is no checkpoint to go on from', { place: path });
    }
    return new StepCheckpoints(
      context,
      path,
      run,
      existsSync(path) ? readCheckpoint(await readBytes(path)) : undefined,
      existsSync(steps) ? readFinished(await readBytes(steps), run, steps) : undefined,
    );
  }

  /** Of one step, by its place in the recipe: a checkpoint belongs to the step that made it. */
  of(index: number): NonNullable<PassContext['checkpoints']> {
    const mark = `step ${index + 1}: `;
    const own = this.resume?.key.startsWith(mark) ? this.resume : undefined;
    if (own && own.engine !== bestBuild()) {
      const engines = `the checkpoint was made by the ${own.engine} kernels, the run goes on by ${bestBuild()}`;
      this.context.note(`note: ${engines}; its bits will not be those of an uninterrupted run`);
    }
    return {
      ...(own ? { resume: { ...own, key: own.key.slice(mark.length) } } : {}),
      save: async (made) => {
        await writeBytes(this.path, writeCheckpoint({ ...made, key: mark + made.key }), true);
        this.saved = true;
      },
    };
  }

  /** Keeps what the steps so far made. */
  async finish(model: Model, reports: Finished['reports']): Promise<void> {
    const metadata = { ...model.metadata, [metadataKey]: { run: this.run, reports } };
    await writeBytes(besideFor(this.path), writeGatefold({ ...model, metadata }), true);
    this.saved = true;
  }

  async remove(): Promise<void> {
    if (!this.saved && !this.resume && !this.finished) return;
    for (const file of [this.path, besideFor(this.path)]) await rm(file, { force: true });
  }
}

const besideFor = (path: string) => `${path}.steps`;
const metadataKey = 'finishedSteps';

function readFinished(bytes: Uint8Array, run: string, place: string): Finished {
  const model = readGatefold(bytes);
  const { [metadataKey]: kept, ...metadata } = model.metadata;
  const { run: found, reports } = (kept ?? {}) as { readonly run?: string; readonly reports?: readonly unknown[] };
  if (found !== run || !reports) {
    fail('STATE_INVALID', 'the finished steps belong to another model, recipe or setting', {
      place,
      hint: 'give the command that was interrupted, or begin anew with --force',
    });
  }
  return { model: { ...model, metadata }, reports };
}
