#!/usr/bin/env node
import { GatefoldError } from '@gatefold/runtime';
import { CommanderError } from 'commander';
import { exitCodeOf, reportError } from './context.ts';
import { buildProgram } from './program.ts';

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
// A reader that closes the pipe early (head) has what it wants.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const json = process.argv.includes('--json');
try {
  await buildProgram(interrupt.signal).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    reportError(error, json);
    process.exitCode = error instanceof GatefoldError || interrupt.signal.aborted ? exitCodeOf(error) : 1;
  }
}
