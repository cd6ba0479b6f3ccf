import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** The Python of the venv that `interop/setup.sh onnx` makes. */
export const onnxPython = process.env.GATEFOLD_ONNX_PYTHON ?? `${root}interop/.venv-onnx/bin/python`;

export interface Given {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly type?: string;
}

/** What `interop/onnx_run.py` runs. */
export interface Job {
  readonly model: string;
  readonly calls: readonly Readonly<Record<string, Given>>[];
  readonly carry?: Readonly<Record<string, string>>;
  readonly expose?: readonly string[];
  readonly quantize?: string;
}

export type Result = Readonly<Record<string, { shape: number[]; data: number[] }>>[];

/** The outputs of every call, by the real onnxruntime. */
export function onnxruntime(job: Job): Result {
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-job-'));
  try {
    const [jobs, results] = [join(folder, 'jobs.json'), join(folder, 'results.json')];
    writeFileSync(jobs, JSON.stringify([job]));
    execFileSync(onnxPython, [`${root}interop/onnx_run.py`, jobs, results]);
    const [done] = JSON.parse(readFileSync(results, 'utf8')) as ({ calls: Result } | { error: string })[];
    if ('error' in done!) throw new Error(done.error);
    return done!.calls;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
