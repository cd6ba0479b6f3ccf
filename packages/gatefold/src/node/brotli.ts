import { brotliCompressSync, constants } from 'node:zlib';

/** Size after brotli at its best setting: what a web server would send. */
export function brotliBytes(bytes: Uint8Array): number {
  return brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }).length;
}
