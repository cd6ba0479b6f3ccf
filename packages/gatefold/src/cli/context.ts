import { GatefoldError } from '@gatefold/runtime';
import { CommanderError } from 'commander';
import { writeFiles } from '../node/files.ts';
import { Progress } from './progress.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly force?: boolean;
  readonly seed?: number;
}

/** Where a command's words go: results to standard output, everything else to standard error. */
export class Context {
  readonly options: GlobalOptions;
  readonly progress: Progress;
  /** Ends long work from outside. */
  readonly signal: AbortSignal;

  constructor(options: GlobalOptions, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
    this.progress = new Progress(options.quiet === true);
  }

  get force(): boolean {
    return this.options.force === true;
  }

  get seed(): number {
    return this.options.seed ?? 1;
  }

  /** The result: as one JSON document for machines, as text for people. */
  result(json: unknown, text: string | (() => string)): void {
    if (this.options.json) process.stdout.write(`${JSON.stringify(json)}\n`);
    else process.stdout.write(`${typeof text === 'string' ? text : text()}\n`);
  }

  /** Something a person should know that is no result. */
  note(text: string): void {
    this.progress.done();
    if (!this.options.quiet) process.stderr.write(`${text}\n`);
  }

  /**
   * Writes outputs that belong together, all or none. An interrupt ends the process at once elsewhere, also in the midst of
   * long computations, where no handler could run; here it first removes what is half written.
   */
  async save(files: Iterable<readonly [path: string, content: Uint8Array | string]>): Promise<void> {
    const interrupt = new AbortController();
    const stop = () => interrupt.abort();
    for (const name of interrupts) process.on(name, stop);
    try {
      await writeFiles(files, this.force, AbortSignal.any([this.signal, interrupt.signal]));
    } finally {
      for (const name of interrupts) process.off(name, stop);
    }
  }
}

const interrupts = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const unreadable = new Set([
  'FILE_FORMAT',
  'FILE_TRUNCATED',
  'FILE_CORRUPT',
  'FILE_VERSION',
  'FILE_TOO_LARGE',
  'FILE_UNUSED',
  'FILE_READ',
  'MODEL_INVALID',
  'MODEL_SHAPE',
  'MODEL_VALUE',
  'MODEL_UNSUPPORTED',
  'MODEL_NO_ARCHITECTURE',
  'INPUT_SHAPE',
  'INPUT_VALUE',
  'NOT_STREAMABLE',
  'DATA_INVALID',
]);
const wrongUse = new Set(['OPTION_INVALID', 'TARGET_EMPTY', 'RECIPE_INVALID', 'FILE_EXISTS']);

/**
 * 0 done · 1 the work failed · 2 wrong usage · 3 unreadable or unsupported input · 4 the asked target was not reached ·
 * 130 interrupted, as shells say it.
 */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (isAbort(error)) return 130;
  if (!(error instanceof GatefoldError)) return 1;
  if (error.code === 'GOAL_MISSED') return 4;
  if (unreadable.has(error.code)) return 3;
  return wrongUse.has(error.code) ? 2 : 1;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Reports an error: coded errors as they are, others with what a maintainer needs. */
export function reportError(error: unknown, json: boolean): void {
  if (error instanceof GatefoldError) {
    // After a missed goal the result stands on standard output already.
    if (json && error.code !== 'GOAL_MISSED')
      process.stdout.write(
        `${JSON.stringify({ error: { code: error.code, message: error.message, ...error.detail } })}\n`,
      );
    else process.stderr.write(`${error.message}\n`);
    return;
  }
  if (error instanceof CommanderError) {
    // Commander has said it in words on standard error.
    if (json && error.exitCode !== 0) {
      const message = `OPTION_INVALID: ${error.message.replace(/^error: /, '')}`;
      process.stdout.write(`${JSON.stringify({ error: { code: 'OPTION_INVALID', message } })}\n`);
    }
    return;
  }
  if (isAbort(error)) {
    process.stderr.write('Interrupted: nothing was written.\n');
    return;
  }
  process.stderr.write(
    `Unexpected error (a bug in Gatefold): ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
}
