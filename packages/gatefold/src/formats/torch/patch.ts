import { crc32 } from '@gatefold/runtime';
import { isZip, listZip, memberStart } from '../../data/zip.ts';
import type { Numbers } from '../state-dict/binding.ts';
import { encodeNumbers } from '../state-dict/numbers.ts';
import type { StateDict } from '../state-dict/types.ts';
import { TorchTensor } from './tensor.ts';

/** Whether new values have a place in the file: tensors of the same shapes that stand in it as they are. */
export function canPatch(source: StateDict, changed: ReadonlyMap<string, Numbers>): boolean {
  return [...changed].every(([key, { shape }]) => {
    const tensor = source.get(key);
    if (!(tensor instanceof TorchTensor) || tensor.shape.join() !== shape.join()) return false;
    const { at, little } = tensor.memory();
    return at !== undefined && little;
  });
}

/**
 * A copy of the file with new values in the memory of its tensors and everything else as it was: whole modules remain
 * whole modules.
 */
export function patchFile(bytes: Uint8Array, source: StateDict, changed: ReadonlyMap<string, Numbers>): Uint8Array {
  const out = Uint8Array.from(bytes);
  const touched = new Set<number>();
  for (const [key, { data }] of changed) {
    const tensor = source.get(key) as TorchTensor;
    const { at, bytes: memory } = tensor.memory();
    encodeNumbers(out.subarray(at!, at! + memory.length), tensor.dtype, tensor.layout, data, key);
    touched.add(at!);
  }
  if (isZip(out)) repairChecksums(out, touched);
  return out;
}

/** Checksums stand in the directory, and in each member's header or after its data. */
function repairChecksums(out: Uint8Array, touched: ReadonlySet<number>): void {
  const view = new DataView(out.buffer);
  for (const entry of listZip(out).values()) {
    const start = memberStart(out, entry);
    if (!touched.has(start) || entry.size === 0 || entry.crc === 0) continue;
    const sum = crc32(out.subarray(start, start + entry.size));
    view.setUint32(entry.listed + 16, sum, true);
    const isDeferred = (view.getUint16(entry.at + 6, true) & 8) !== 0;
    if (!isDeferred) {
      view.setUint32(entry.at + 14, sum, true);
      continue;
    }
    const after = start + entry.packed;
    const isSigned = after + 8 <= out.length && view.getUint32(after, true) === 0x08074b50;
    if (after + 8 <= out.length) view.setUint32(after + (isSigned ? 4 : 0), sum, true);
  }
}
