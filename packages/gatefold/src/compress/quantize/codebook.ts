/**
 * One-dimensional weighted k-means (Lloyd 1982) from quantiles: `count` levels with little squared error. Deterministic;
 * sorted once, so that an iteration costs count·log n.
 */
export function fitCodebook(values: Float64Array, weights: Float64Array, count: number): number[] {
  const order = Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
  const sorted = Float64Array.from(order, (i) => values[i]!);
  const weightTo = new Float64Array(order.length + 1);
  const momentTo = new Float64Array(order.length + 1);
  order.forEach((from, i) => {
    weightTo[i + 1] = weightTo[i]! + weights[from]!;
    momentTo[i + 1] = momentTo[i]! + weights[from]! * values[from]!;
  });
  let levels = Array.from({ length: count }, (_, k) => sorted[Math.floor(((k + 0.5) / count) * sorted.length)]!);
  for (let iteration = 0; iteration < 100; iteration++) {
    const bounds = [0];
    for (let k = 0; k + 1 < count; k++) bounds.push(firstAbove(sorted, (levels[k]! + levels[k + 1]!) / 2));
    bounds.push(sorted.length);
    const next = levels.map((level, k) => {
      const weight = weightTo[bounds[k + 1]!]! - weightTo[bounds[k]!]!;
      return weight > 0 ? (momentTo[bounds[k + 1]!]! - momentTo[bounds[k]!]!) / weight : level;
    });
    next.sort((a, b) => a - b);
    const moved = next.some((level, k) => Math.abs(level - levels[k]!) > 1e-9 * Math.abs(level));
    levels = next;
    if (!moved) break;
  }
  return levels;
}

/** Index of the first value above the bound. */
function firstAbove(sorted: Float64Array, bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}
