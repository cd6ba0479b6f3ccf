/** Mulberry32: a small seeded generator of numbers in [0, 1). */
export function randomSource(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Uniform values in ±span. */
export function randomValues(random: () => number, count: number, span = 1): Float32Array {
  return Float32Array.from({ length: count }, () => (random() * 2 - 1) * span);
}
