import { fail } from '../errors/index.ts';
import { sizeOf } from '../tensor/index.ts';
import type { Sparsity, Weight } from './types.ts';

/** Rows and columns of the grid of blocks. */
export function blockGrid(
  shape: readonly number[],
  { block, gateRows }: Pick<Sparsity, 'block' | 'gateRows'>,
): [rows: number, columns: number] {
  const gates = shape[0]! / gateRows;
  return [gates * Math.ceil(gateRows / block[0]), Math.ceil(sizeOf(shape.slice(1)) / block[1])];
}

/** The number of the block that holds the weight of a row and column, as `kept` counts blocks. */
export function blockIndex(
  shape: readonly number[],
  frame: Pick<Sparsity, 'block' | 'gateRows'>,
): (row: number, column: number) => number {
  const { block, gateRows } = frame;
  const [, across] = blockGrid(shape, frame);
  const perGate = Math.ceil(gateRows / block[0]);
  return (row, column) => {
    const down = Math.floor(row / gateRows) * perGate + Math.floor((row % gateRows) / block[0]);
    return down * across + Math.floor(column / block[1]);
  };
}

/** 1 for every weight of the matrix that is kept, row-major as the matrix; undefined where none was removed. */
export function keptWeights({ shape, sparsity }: Pick<Weight, 'shape' | 'sparsity'>): Uint8Array | undefined {
  if (!sparsity) return undefined;
  const { gateRows, kept, diagonal } = sparsity;
  const columns = sizeOf(shape.slice(1));
  const blockOf = blockIndex(shape, sparsity);
  const out = new Uint8Array(sizeOf(shape));
  for (let row = 0; row < shape[0]!; row++) {
    for (let column = 0; column < columns; column++) out[row * columns + column] = kept[blockOf(row, column)]!;
    if (diagonal && row % gateRows < columns) out[row * columns + (row % gateRows)] = 1;
  }
  return out;
}

/** @throws MODEL_INVALID where blocks and gates do not fit the shape */
export function checkBlocks(
  shape: readonly number[],
  { block, gateRows }: Pick<Sparsity, 'block' | 'gateRows'>,
  place: string,
): void {
  const whole = [...block, gateRows].every((n) => Number.isSafeInteger(n) && n >= 1);
  if (!whole || shape.length < 2 || shape[0]! % gateRows !== 0) {
    fail('MODEL_INVALID', 'the blocks of a sparse weight do not fit its shape', {
      place,
      found: `blocks of ${block.join('×')} in gates of ${gateRows} rows, shape [${shape.join(', ')}]`,
    });
  }
}

/** @throws MODEL_INVALID where the sparsity does not describe this matrix, or a weight that was removed is not 0 in `values` */
export function checkSparsity(shape: readonly number[], sparsity: Sparsity, values: Float32Array, place: string): void {
  const { kept } = sparsity;
  checkBlocks(shape, sparsity, place);
  const [rows, columns] = blockGrid(shape, sparsity);
  if (kept.length !== rows * columns || kept.some((bit) => bit > 1)) {
    fail('MODEL_INVALID', 'the blocks of a sparse weight are not all given', {
      place,
      expected: `${rows * columns} of 0 or 1`,
      found: `${kept.length}`,
    });
  }
  const stays = keptWeights({ shape, sparsity })!;
  const at = values.findIndex((value, i) => value !== 0 && stays[i] === 0);
  if (at >= 0) fail('MODEL_INVALID', 'a weight that was removed is not zero', { place: `${place}[${at}]` });
}
