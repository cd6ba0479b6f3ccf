/** Rows as aligned columns; columns named in `right` are aligned to the right. */
export function alignedTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (right.includes(head[i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '─'.repeat(width)).join('──'), ...rows.map(line)].join('\n');
}

/** Bytes as people read them. */
export function showBytes(bytes: number): string {
  if (bytes < 10_000) return `${bytes} B`;
  return bytes < 10_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A number with thousands separated. */
export function showNumber(n: number): string {
  return n.toLocaleString('en-US');
}

/** Multiplications executed, and of how many where some are left out. */
export function showMacs({ macsPerStep, denseMacsPerStep }: { macsPerStep: number; denseMacsPerStep: number }): string {
  const executed = showNumber(macsPerStep);
  return macsPerStep < denseMacsPerStep ? `${executed} of ${showNumber(denseMacsPerStep)}` : executed;
}

const shares = ['accuracy', 'macroF1', 'f1', 'agreement', 'labelErrorRate', 'sequenceAccuracy'];

/** A metric by its name: shares as percentages. */
export function showMetric(name: string, value: number): string {
  if (shares.includes(name)) return `${(value * 100).toFixed(2)} %`;
  if (Number.isInteger(value)) return showNumber(value);
  return Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(5);
}
