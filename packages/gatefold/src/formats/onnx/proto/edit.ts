import { Cursor, skip } from './decode.ts';
import { Output } from './encode.ts';

/**
 * What stands in place of a field of a message: undefined leaves it as it is; else the contents of fields with the same number,
 * none to leave it out. `index` counts the fields of that number; `content` is what a length-delimited field holds, and empty
 * for a number.
 */
export type FieldEdit = (field: number, index: number, content: Uint8Array) => readonly Uint8Array[] | undefined;

/**
 * A message with other contents in some fields, and with fields added after all others (`added`, as they are encoded). Every
 * other byte, of fields that no schema here knows too, is as it was.
 * @throws FILE_TRUNCATED, FILE_CORRUPT
 */
export function editMessage(bytes: Uint8Array, edit: FieldEdit, added?: Uint8Array): Uint8Array {
  const cursor = new Cursor(bytes, 0, bytes.length);
  const counts = new Map<number, number>();
  const out = new Output();
  let kept = 0;
  while (cursor.at < cursor.end) {
    const start = cursor.at;
    const tag = cursor.varint('');
    const [field, wire] = [Math.floor(tag / 8), tag & 7];
    const index = counts.get(field) ?? 0;
    counts.set(field, index + 1);
    let content: Uint8Array = new Uint8Array(0);
    if (wire === 2) content = cursor.part(cursor.varint(''), '').rest();
    else skip(cursor, wire, '');
    const contents = edit(field, index, content);
    if (!contents) continue;
    out.bytes(bytes.subarray(kept, start));
    kept = cursor.at;
    for (const each of contents) {
      out.varint(field * 8 + 2);
      out.varint(each.length);
      out.bytes(each);
    }
  }
  out.bytes(bytes.subarray(kept));
  if (added) out.bytes(added);
  return out.joined();
}
