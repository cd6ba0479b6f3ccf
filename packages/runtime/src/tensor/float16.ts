const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);

/** Rounds a float32 to the nearest IEEE 754 binary16 (ties to even); returns its 16 bits. */
export function float16From(value: number): number {
  real[0] = value;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to 65520 or above: infinity
  if (magnitude < 0x38800000) {
    // Subnormal half: add 0.5 so that the float32 adder does the rounding.
    word[0] = magnitude;
    real[0] = real[0]! + 0.5;
    return sign | (word[0]! - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** The exact float32 value of 16 bits of IEEE 754 binary16. */
export function float16To(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
