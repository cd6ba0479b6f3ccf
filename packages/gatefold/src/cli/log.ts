import { appendFile } from 'node:fs/promises';
import { fail } from '@gatefold/runtime';

/** A file that JSON lines are appended to. */
export interface Log {
  write(line: Readonly<Record<string, unknown>>): void;
  /** Waits until all is written. @throws FILE_WRITE where something could not be, with the hint */
  done(hint: string): Promise<void>;
}

/**
 * Opens a log; `failed` is called as soon as a line cannot be written.
 * @throws FILE_WRITE where not even nothing can be
 */
export async function openLog(path: string, failed: () => void): Promise<Log> {
  const refuse = (error: unknown, hint?: string): never =>
    fail('FILE_WRITE', 'the log cannot be written', {
      place: path,
      found: (error as Error).message,
      ...(hint === undefined ? {} : { hint }),
    });
  await appendFile(path, '').catch(refuse);
  let failure: unknown;
  let queue: Promise<void> = Promise.resolve();
  return {
    write(line) {
      queue = queue
        .then(() => (failure === undefined ? appendFile(path, `${JSON.stringify(line)}\n`) : undefined))
        .catch((error: unknown) => {
          failure = error;
          failed();
        });
    },
    async done(hint) {
      await queue;
      if (failure !== undefined) refuse(failure, hint);
    },
  };
}
