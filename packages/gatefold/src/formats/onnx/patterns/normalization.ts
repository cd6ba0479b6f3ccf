import type { Lookup, Node } from './lookup.ts';

export interface NormalizationAt {
  readonly x: string;
  readonly y: string;
  /** Name of the constant under the root. */
  readonly epsilon: string;
}

/** Whether the tensor is the mean of another over its last axis, that axis kept. */
function isMeanOf(lookup: Lookup, name: string | undefined, of: string): boolean {
  const node = lookup.maker(name, 'ReduceMean');
  const axes = node?.attribute.find((attribute) => attribute.name === 'axes')?.ints;
  const keep = node?.attribute.find((attribute) => attribute.name === 'keepdims')?.i ?? 1;
  return node?.input[0] === of && node.input.length === 1 && axes?.length === 1 && axes[0] === -1 && keep === 1;
}

/** x where the tensor is x less its mean. */
function centred(lookup: Lookup, name: string | undefined): string | undefined {
  const [x, mean] = lookup.maker(name, 'Sub')?.input ?? [];
  return x !== undefined && isMeanOf(lookup, mean, x) ? x : undefined;
}

/** Layer normalization that ends in this node, (x − mean)/√(variance + ε), without its scale and shift. */
export function normalizationAt(lookup: Lookup, node: Node): NormalizationAt | undefined {
  const y = node.output[0] ?? '';
  const [[above, root] = []] = lookup.pairs(y, 'Div');
  const x = centred(lookup, above);
  const sum = lookup.maker(root, 'Sqrt')?.input[0];
  if (x === undefined) return undefined;
  for (const [variance, epsilon] of lookup.pairs(sum, 'Add')) {
    const square = lookup.maker(variance, 'ReduceMean')?.input[0];
    const [a, b] = lookup.maker(square, 'Mul')?.input ?? [];
    const isVariance =
      square !== undefined && isMeanOf(lookup, variance, square) && a === b && centred(lookup, a) === x;
    if (isVariance && lookup.constants.has(epsilon)) return { x, y, epsilon };
  }
  return undefined;
}
