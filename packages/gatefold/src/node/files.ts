import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fail } from '@gatefold/runtime';

/** Files above this are refused before they are read into memory. */
const largestFile = 2 ** 31;

/**
 * Reads a whole file.
 * @throws FILE_READ, FILE_TOO_LARGE
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > largestFile) {
      fail('FILE_TOO_LARGE', 'the file is too large', {
        place: path,
        expected: `at most ${largestFile} bytes`,
        found: `${size}`,
      });
    }
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (isSystemError(error)) fail('FILE_READ', 'the file cannot be read', { place: path, found: error.message });
    throw error;
  }
}

/** Refuses early, before any long work, to write over an existing file. */
export function checkOutput(path: string, force: boolean): void {
  if (existsSync(path) && !force) {
    fail('FILE_EXISTS', 'the output exists already', { place: path, hint: 'choose another name or pass --force' });
  }
}

/**
 * Writes a file through a temporary one beside it, so that nobody ever sees half of it.
 * @throws FILE_EXISTS without `force`, FILE_WRITE
 */
export async function writeBytes(path: string, bytes: Uint8Array | string, force: boolean): Promise<void> {
  await writeFiles([[path, bytes]], force);
}

/**
 * Writes files that belong together: all of them under temporary names first, then each takes its place. Where one
 * cannot be written, or `signal` is aborted before the last is there, none appears.
 * @throws FILE_EXISTS without `force`, FILE_WRITE, and the signal's reason
 */
export async function writeFiles(
  files: Iterable<readonly [path: string, content: Uint8Array | string]>,
  force: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const pending: { target: string; temporary: string }[] = [];
  let current = '';
  try {
    for (const [path, content] of files) {
      current = path;
      checkOutput(path, force);
      const target = resolve(path);
      const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
      await makeFolder(dirname(target));
      pending.push({ target, temporary });
      await writeFile(temporary, content, signal ? { signal } : {});
    }
    signal?.throwIfAborted();
    for (const { target, temporary } of pending) {
      current = target;
      await rename(temporary, target);
    }
  } catch (error) {
    // Cleaning up must not hide the reason.
    for (const { temporary } of pending) await rm(temporary, { force: true }).catch(() => {});
    if (isSystemError(error))
      fail('FILE_WRITE', 'the file cannot be written', { place: current, found: error.message });
    throw error;
  }
}

/** Makes a folder and those above it. Node's own recursive mkdir never ends where the system denies a parent (/proc). */
async function makeFolder(path: string): Promise<void> {
  if (existsSync(path)) return;
  await makeFolder(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
