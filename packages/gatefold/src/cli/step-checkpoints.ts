import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fail } from '@gatefold/runtime';
import type { PassContext } from '../compress/index.ts';
import { checkOutput, readBytes, writeBytes } from '../node/files.ts';
import { bestBuild, type Checkpoint, readCheckpoint, writeCheckpoint } from '../train/index.ts';
import type { Context } from './context.ts';

/** Where the steps of a recipe that train leave what they can go on from. */
export class StepCheckpoints {
  private readonly path: string;
  private readonly resume: Checkpoint | undefined;
  private readonly context: Context;
  /** Whether an interrupted run could go on. */
  saved = false;

  private constructor(context: Context, path: string, resume: Checkpoint | undefined) {
    this.context = context;
    this.path = path;
    this.resume = resume;
  }

  /**
   * @param context is told where a run goes on by another engine
   * @throws FILE_READ where there is nothing to go on from, FILE_EXISTS where an earlier run's would be lost
   */
  static async at(context: Context, path: string, resume: boolean): Promise<StepCheckpoints> {
    if (resume && !existsSync(path)) {
      fail('FILE_READ', 'there is no checkpoint to go on from', { place: path });
    }
    if (!resume) checkOutput(path, context.force);
    return new StepCheckpoints(context, path, resume ? readCheckpoint(await readBytes(path)) : undefined);
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

  async remove(): Promise<void> {
    if (this.saved || this.resume) await rm(this.path, { force: true });
  }
}
