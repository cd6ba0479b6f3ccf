import { cellOf, type Model, OpContext } from '@gatefold/runtime';
import type { Place } from './address.ts';

/** What becomes of a matrix's product. */
export interface Product {
  /** The vector that is added to it, where there may be one. */
  readonly bias: string | undefined;
  /** Whether a row multiplies what the matrix seems to multiply; some gates multiply something that only the cell sees. */
  readonly isSeen: (row: number) => boolean;
}

/** As the op's and the cell's own files say it. */
export function productOf(model: Model, { node, role, weight, gates }: Place): Product {
  const seen = { isSeen: () => true };
  if (node.op !== 'recurrent') return { bias: role === 'kernel' ? 'bias' : undefined, ...seen };
  const { cell, options } = cellOf(new OpContext(node, model, new Map(), []));
  const stated = cell.weights(options).find((one) => one.role === role);
  const { bias, inner = [] } = stated ?? {};
  if (!gates || inner.length === 0) return { bias, ...seen };
  const gateRows = model.weights[weight]!.shape[0]! / gates.length;
  return { bias, isSeen: (row) => !inner.includes(gates[Math.floor(row / gateRows)]!) };
}
