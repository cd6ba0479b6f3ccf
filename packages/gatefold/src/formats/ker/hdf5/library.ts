import { fail, GatefoldError } from '@gatefold/runtime';
import type { H5Module } from './types.ts';

/** What the library may allocate beside the file itself, which is not on its heap. */
const heapFloor = 2 ** 28;
const heapPerByte = 4;
const pageBytes = 2 ** 16;

let opened = 0;

/**
 * Opens the bytes as an HDF5 file of the library's own file system for the time of `use`, which is synchronous, and
 * leaves nothing of it behind: neither the file nor the streams that a failed call keeps open.
 * @throws FILE_CORRUPT where the library fails, and what `use` throws
 */
export async function withLibrary<T>(bytes: Uint8Array, use: (module: H5Module, file: bigint) => T): Promise<T> {
  // 4 MB of WebAssembly: loaded when the first file needs it.
  const { ready } = await import('h5wasm');
  const module = (await ready) as unknown as H5Module;
  // Without it the library prints its errors and returns nothing.
  module.activate_throwing_error_handler();
  const limit = heapFloor + heapPerByte * bytes.length;
  return withBoundedHeap(limit, () => withFile(module, bytes, use));
}

function withFile<T>(module: H5Module, bytes: Uint8Array, use: (module: H5Module, file: bigint) => T): T {
  const { FS } = module;
  const before = new Set(FS.streams);
  const name = `/gatefold-${opened++}.h5`;
  let file: bigint | undefined;
  try {
    FS.writeFile(name, bytes, { canOwn: true });
    file = module.open(name, module.H5F_ACC_RDONLY, false, -1, -1);
    return use(module, file);
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    return fail('FILE_CORRUPT', 'the HDF5 file cannot be read', {
      found: reasonOf(error),
      hint: 'the file is damaged or cut off: copy or download it again',
    });
  } finally {
    if (file !== undefined) attempt(() => module.close_file(file!));
    for (const stream of FS.streams) if (stream && !before.has(stream)) attempt(() => FS.close(stream));
    attempt(() => FS.unlink(name));
  }
}

/** Cleaning up after a damaged file may fail as well; the first error is the one to tell. */
function attempt(action: () => void): void {
  try {
    action();
  } catch {}
}

/** The innermost line of HDF5's error stack, or the first line of any other error. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => line.includes(': ') && !line.startsWith('HDF5-DIAG'));
  return (lines.findLast((line) => /^ {2,}#\d+/.test(line)) ?? text.split('\n')[0]!).trim().slice(0, 200);
}

/**
 * Lengths inside a damaged file make the library allocate what they say, up to 2 GiB that a WebAssembly memory never
 * gives back. Its memory is not reachable from outside, so growth is bounded where every memory grows; the library
 * takes a refusal as "out of memory" and reports it. Nothing else runs meanwhile: `action` is synchronous.
 */
function withBoundedHeap<T>(limit: number, action: () => T): T {
  const prototype = WebAssembly.Memory.prototype;
  const own = prototype.grow;
  const bounded = function grow(this: WebAssembly.Memory, pages: number): number {
    if (this.buffer.byteLength + pages * pageBytes > limit) throw new RangeError('out of the memory allowed for a file');
    return own.call(this, pages);
  };
  try {
    prototype.grow = bounded;
  } catch {
    // Frozen built-ins: then the library's own limit of 2 GiB holds.
  }
  try {
    return action();
  } finally {
    if (prototype.grow === bounded) prototype.grow = own;
  }
}
