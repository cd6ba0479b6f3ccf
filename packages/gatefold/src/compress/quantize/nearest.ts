/** Code of the nearest level; of equal levels the first. */
export function nearestLevel(table: readonly number[]): (value: number) => number {
  const order = table.map((_, code) => code).sort((a, b) => table[a]! - table[b]! || a - b);
  const sorted = order.map((code) => table[code]!);
  return (value) => {
    let low = 0;
    let high = sorted.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value > (sorted[middle]! + sorted[middle + 1]!) / 2) low = middle + 1;
      else high = middle;
    }
    return order[low]!;
  };
}
