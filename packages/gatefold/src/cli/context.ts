import { GatefoldError } from '@gatefold/runtime';
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
  /** Aborted by the first interrupt; a second one ends the process. */
  readonly signal: AbortSignal;
  exitCode = 0;

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
    if (!this.options.quiet) process.stderr.write(`${text}\n`);
  }
}

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

/** 0 done · 1 the work failed · 2 wrong usage · 3 unreadable or unsupported input · 4 the asked target was not reached. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof GatefoldError)) return 1;
  if (error.code === 'GOAL_MISSED') return 4;
  if (unreadable.has(error.code)) return 3;
  return wrongUse.has(error.code) ? 2 : 1;
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
  if (error instanceof Error && error.name === 'AbortError') {
    process.stderr.write('Interrupted: nothing was written.\n');
    return;
  }
  process.stderr.write(
    `Unexpected error (a bug in Gatefold): ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
}
