import { blockGrid, blockIndex, decode, type Model, type Sparsity, sizeOf, type Weight } from '@gatefold/runtime';
import { matricesOf } from '../address.ts';

/** Fewer zeros than this are chance. */
const least = 0.3;

/**
 * Says of matrices with many exact zeros that these were removed: files of other tools only hold the zeros. What then trains keeps
 * them, and a `.gatefold` file does not store them.
 */
export function keepZeros(model: Model): Model {
  const weights: Record<string, Weight> = { ...model.weights };
  for (const { weight: name, gates } of matricesOf(model)) {
    const weight = weights[name]!;
    if (weight.sparsity || weight.encoding.kind !== 'dense') continue;
    const sparsity = impliedSparsity(weight, weight.shape[0]! / (gates?.length ?? 1));
    if (sparsity) weights[name] = { ...weight, sparsity };
  }
  return { ...model, weights };
}

function impliedSparsity(weight: Weight, gateRows: number): Sparsity | undefined {
  const values = decode(weight);
  const zeros = values.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);
  // A matrix of nothing but zeros was not pruned, it was never trained.
  if (zeros < least * values.length || zeros === values.length) return undefined;
  const columns = sizeOf(weight.shape.slice(1));
  const blocks = coarse(values, weight.shape[0]!, columns, gateRows, [8, 4]);
  const single = coarse(values, weight.shape[0]!, columns, gateRows, [1, 1]);
  return blocks.removed >= 0.95 * zeros ? blocks.sparsity : single.sparsity;
}

/** Which blocks hold anything but zeros, and how many weights the others have. */
function coarse(
  values: Float32Array,
  rows: number,
  columns: number,
  gateRows: number,
  block: readonly [number, number],
): { sparsity: Sparsity; removed: number } {
  const frame = { block, gateRows };
  const blockOf = blockIndex([rows, columns], frame);
  const [down, across] = blockGrid([rows, columns], frame);
  const kept = new Uint8Array(down * across);
  const at = (i: number) => blockOf(Math.floor(i / columns), i % columns);
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) kept[at(i)] = 1;
  let removed = 0;
  for (let i = 0; i < values.length; i++) if (kept[at(i)] === 0) removed++;
  return { sparsity: { ...frame, kept }, removed };
}
