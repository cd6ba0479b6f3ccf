import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fail } from '@gatefold/runtime';
import type { PassContext } from '../compress/index.ts';
import { checkOutput, readBytes, writeBytes } from '../node/files.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from '../train/index.ts';

/** Where the steps of a recipe that train leave what they can go on from. */
export class StepCheckpoints {
  private readonly path: string;
  private readonly resume: Checkpoint | undefined;
  /** Whether an interrupted run could go on. */
  saved = false;

  private constructor(path: string, resume: Checkpoint | undefined) {
    this.path = path;
    this.resume = resume;
  }

  /** @throws FILE_READ where there is nothing to go on from, FILE_EXISTS where an earlier run's would be lost */
  static async at(path: string, resume: boolean, force: boolean): Promise<StepCheckpoints> {
    if (resume && !existsSync(path)) {
      fail('FILE_READ', 'there is no checkpoint to go on from', { place: path });
    }
    if (!resume) checkOutput(path, force);
    return new StepCheckpoints(path, resume ? readCheckpoint(await readBytes(path)) : undefined);
  }

  /** Of one step, by its place in the recipe: a checkpoint belongs to the step that made it. */
  of(index: number): NonNullable<PassContext['checkpoints']> {
    const mark = `step ${index + 1}: `;
    const own = this.resume?.key.startsWith(mark) ? this.resume : undefined;
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
