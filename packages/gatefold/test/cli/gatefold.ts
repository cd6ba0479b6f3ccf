import { vi } from 'vitest';
import { exitCodeOf, reportError } from '../../src/cli/context.ts';
import { buildProgram } from '../../src/cli/program.ts';

/** Runs the command in this process; what it prints as JSON, and its exit code. */
export async function gatefold(...args: string[]): Promise<{ status: number; json: Record<string, unknown> }> {
  let text = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  process.exitCode = 0;
  let status = 0;
  try {
    await buildProgram(new AbortController().signal).parseAsync(['node', 'gatefold', ...args, '--json', '--quiet']);
    status = Number(process.exitCode);
  } catch (error) {
    reportError(error, true);
    status = exitCodeOf(error);
  } finally {
    spy.mockRestore();
    process.exitCode = 0;
  }
  return { status, json: JSON.parse(text) };
}
