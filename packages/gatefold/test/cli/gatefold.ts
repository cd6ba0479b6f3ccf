import { vi } from 'vitest';
import { exitCodeOf, reportError } from '../../src/cli/context.ts';
import { buildProgram } from '../../src/cli/program.ts';

/** Runs the command in this process, ending as main.ts ends it: what it prints, and its exit code. */
export async function command(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  process.exitCode = 0;
  let status = 0;
  try {
    await buildProgram(new AbortController().signal).parseAsync(['node', 'gatefold', ...args]);
    status = Number(process.exitCode);
  } catch (error) {
    reportError(error, args.includes('--json'));
    status = exitCodeOf(error);
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
  }
  return { status, ...written };
}

/** The one JSON document that a command prints, and its exit code. */
export async function gatefold(...args: string[]): Promise<{ status: number; json: Record<string, unknown> }> {
  const { status, stdout } = await command(...args, '--json', '--quiet');
  return { status, json: JSON.parse(stdout) };
}
