import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Model } from '@gatefold/runtime';
import { expect } from 'vitest';
import { type WriteOptions, writerFor } from '../../src/formats/index.ts';

/** Python with LiteRT, which interop/run.sh installs. */
const python = process.env.GATEFOLD_LITERT;
if (!python) throw new Error('GATEFOLD_LITERT is not set: run `npm run test:interop`');
export const root = fileURLToPath(new URL('../../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gatefold-litert-'));

export interface Job {
  readonly model: string;
  /** Inputs of each call. */
  readonly calls: readonly (readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[])[];
  readonly states: readonly (readonly [number, number])[];
  readonly reset: boolean;
}
export interface Result {
  readonly calls: readonly (readonly number[][])[];
  readonly step: number;
}

let count = 0;
/** Runs files in the LiteRT interpreter. */
export function litertAll(list: readonly Job[]): Result[] {
  const jobs = join(folder, `${count}.jobs.json`);
  const results = join(folder, `${count++}.results.json`);
  writeFileSync(jobs, JSON.stringify(list));
  const { status, stderr } = spawnSync(python!, [join(root, 'interop/litert_run.py'), jobs, results], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr.slice(-2000));
  return JSON.parse(readFileSync(results, 'utf8'));
}

export function litert(job: Job): Result {
  return litertAll([job])[0]!;
}

/** Writes a model as a file; returns its path. */
export async function written(model: Model, options: WriteOptions = {}): Promise<string> {
  const path = join(folder, `${count++}.tflite`);
  writeFileSync(path, (await writerFor('tflite', '-o').write(model, options)).bytes);
  return path;
}

export const wave = (size: number, n: number) => Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + n));

export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!));
    if (!(distance <= most)) most = distance;
  }
  return most;
}
