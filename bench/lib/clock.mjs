/** µs per call. A promise is awaited only where the contender returns one. */
export async function timed(call, calls) {
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    const result = call();
    if (typeof result?.then === 'function') await result;
  }
  return ((performance.now() - start) * 1000) / calls;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
