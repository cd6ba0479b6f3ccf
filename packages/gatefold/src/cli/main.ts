#!/usr/bin/env node
import { exitCodeOf, reportError } from './context.ts';
import { buildProgram } from './program.ts';

// A reader that closes the pipe early (head) has what it wants.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await buildProgram(new AbortController().signal).parseAsync();
} catch (error) {
  reportError(error, process.argv.includes('--json'));
  process.exitCode = exitCodeOf(error);
}
