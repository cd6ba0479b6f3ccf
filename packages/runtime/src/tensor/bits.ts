/** Bytes that `count` codes of `bits` bits take when packed without gaps. */
export function packedLength(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** Packs unsigned codes of 1 to 16 bits, least significant bit first, without gaps between codes. */
export function packBits(codes: ArrayLike<number>, bits: number): Uint8Array {
  const out = new Uint8Array(packedLength(codes.length, bits));
  let held = 0;
  let pending = 0;
  let at = 0;
  for (let i = 0; i < codes.length; i++) {
    pending |= codes[i]! << held;
    held += bits;
    while (held >= 8) {
      out[at++] = pending & 255;
      pending >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) out[at] = pending & 255;
  return out;
}

/** The inverse of {@link packBits}. */
export function unpackBits(bytes: Uint8Array, count: number, bits: number): Uint16Array {
  const out = new Uint16Array(count);
  const mask = (1 << bits) - 1;
  let held = 0;
  let pending = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    while (held < bits) {
      pending |= bytes[at++]! << held;
      held += 8;
    }
    out[i] = pending & mask;
    pending >>>= bits;
    held -= bits;
  }
  return out;
}
