import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { classes } from './cases.mjs';

const python = fileURLToPath(new URL('../../interop/.venv-keras3/bin/python', import.meta.url));

/** PyTorch in a process of its own, which waits between its turns; undefined where it is not installed. */
export async function startTorch() {
  if (!existsSync(python)) return undefined;
  const child = spawn(python, [fileURLToPath(new URL('pytorch.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('PyTorch ended');
    return JSON.parse(value);
  };
  const { version } = await answer();
  return {
    version,
    /** The best step of a run, timed inside. */
    async bestStep(shape, threads) {
      child.stdin.write(`${JSON.stringify({ ...shape, classes, threads })}\n`);
      return answer();
    },
    close: () => child.stdin.end(),
  };
}
