/** How much of a file is looked at to tell what JSON it is. */
const looked = 1 << 16;

/** Whether the bytes start as a JSON object does. */
function isJsonObject(bytes: Uint8Array): boolean {
  return /^\uFEFF?\s*\{/.test(utf8Of(bytes.subarray(0, 64)));
}

/** Whether a file that starts as a JSON object has all these keys somewhere near one of its ends. */
export function jsonHasKeys(bytes: Uint8Array, ...keys: readonly string[]): boolean {
  if (!isJsonObject(bytes)) return false;
  const text = utf8Of(bytes.subarray(0, looked)) + utf8Of(bytes.subarray(Math.max(looked, bytes.length - looked)));
  return keys.every((key) => new RegExp(`"${key}"\\s*:`).test(text));
}

function utf8Of(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
