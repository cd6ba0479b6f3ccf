import { blockIndex, fail, keptWeights, type Sparsity } from '@gatefold/runtime';
import type { Settled } from './options.ts';
import type { Chosen } from './select.ts';

/** A matrix cut into blocks, gate by gate. */
export interface Grid {
  /** Blocks down a gate, and across the matrix. */
  readonly down: number;
  readonly across: number;
  /** Weights of each block: fewer at the edges, and without the diagonal where that stays. */
  readonly sizes: Float64Array;
}

export function gridOf({ rows, columns, gateRows, diagonal }: Chosen, block: readonly [number, number]): Grid {
  const gates = rows / gateRows;
  const down = Math.ceil(gateRows / block[0]);
  const across = Math.ceil(columns / block[1]);
  const sizes = new Float64Array(gates * down * across);
  for (let i = 0; i < sizes.length; i++) {
    const [r, c] = [Math.floor(i / across) % down, i % across];
    const [top, left] = [r * block[0], c * block[1]];
    const height = Math.min(block[0], gateRows - top);
    const width = Math.min(block[1], columns - left);
    const onDiagonal = diagonal ? Math.max(0, Math.min(top + height, left + width) - Math.max(top, left)) : 0;
    sizes[i] = height * width - onDiagonal;
  }
  return { down, across, sizes };
}

/** Mean score of each block's weights, those of a kept diagonal aside. */
export function blockMeans(
  scores: ArrayLike<number>,
  chosen: Chosen,
  block: readonly [number, number],
  grid: Grid,
): Float64Array {
  const { rows, columns, gateRows, diagonal } = chosen;
  const blockOf = blockIndex([rows, columns], { block, gateRows });
  const out = new Float64Array(grid.sizes.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (diagonal && column === row % gateRows) continue;
      const at = blockOf(row, column);
      out[at] = out[at]! + scores[row * columns + column]!;
    }
  }
  for (let i = 0; i < out.length; i++)
    out[i] = grid.sizes[i]! > 0 ? out[i]! / grid.sizes[i]! : Number.POSITIVE_INFINITY;
  return out;
}

/** Blocks of one gate, and which of them stay. */
interface Part {
  readonly chosen: Chosen;
  readonly gate: number;
  readonly kept: Uint8Array;
  readonly means: Float64Array;
  readonly sizes: Float64Array;
  readonly share: number | undefined;
}

/**
 * Which blocks stay, one sparsity per chosen matrix: those with the largest mean score. `progress` (0 … 1) scales the shares while
 * they grow.
 * @throws OPTION_INVALID where a gate would be left with nothing
 */
export function chooseKept(
  chosen: readonly Chosen[],
  scores: readonly ArrayLike<number>[],
  settled: Settled,
  progress = 1,
): Sparsity[] {
  const { amount, block, scope } = settled;
  if (amount.kind === 'pattern') {
    return chosen.map((matrix, i) => patternOf(matrix, scores[i]!, amount.keep, amount.of));
  }
  const wholes = chosen.map((matrix, i) => {
    const grid = gridOf(matrix, block);
    const kept = new Uint8Array(grid.sizes.length).fill(1);
    const means = blockMeans(scores[i]!, matrix, block, grid);
    const perGate = grid.down * grid.across;
    const parts = matrix.shares.map((share, gate): Part => {
      const cut = <T extends Float64Array | Uint8Array>(array: T) =>
        array.subarray(gate * perGate, (gate + 1) * perGate) as T;
      return { chosen: matrix, gate, kept: cut(kept), means: cut(means), sizes: cut(grid.sizes), share };
    });
    return { kept, parts };
  });
  const parts = wholes.flatMap((whole) => whole.parts.filter(({ share }) => share !== undefined));
  if (amount.kind === 'threshold') for (const part of parts) removeBelow(part, amount.value);
  else if (scope === 'global') removeLowest(parts, amount.share * progress, true);
  else if (scope === 'gate' || scope === 'measured')
    for (const part of parts) removeLowest([part], part.share! * progress, false);
  else {
    for (const whole of wholes) {
      const own = whole.parts.filter(({ share }) => share !== undefined);
      if (own.length > 0)
        removeLowest(own, (own.reduce((sum, part) => sum + part.share!, 0) / own.length) * progress, false);
    }
  }
  for (const part of parts) refuseEmpty(part);
  return chosen.map((matrix, i) => sparsityOf(matrix, block, wholes[i]!.kept));
}

export function sparsityOf(
  { gateRows, diagonal }: Chosen,
  block: readonly [number, number],
  kept: Uint8Array,
): Sparsity {
  return { block, gateRows, kept, ...(diagonal ? { diagonal: true } : {}) };
}

/** 1 for every weight of the matrix that a sparsity keeps. */
export function keptOf({ rows, columns }: Chosen, sparsity: Sparsity): Uint8Array {
  return keptWeights({ shape: [rows, columns], sparsity })!;
}

/** Scores are squares (see criteria.ts), the threshold is not. */
function removeBelow({ means, kept }: Part, threshold: number): void {
  for (let i = 0; i < kept.length; i++) if (means[i]! < threshold * threshold) kept[i] = 0;
}

/** Removes blocks with the lowest means until `share` of all weights is gone; scores of different gates compare by their mean. */
function removeLowest(parts: readonly Part[], share: number, relative: boolean): void {
  const all = parts.flatMap((part) => {
    const finite = part.means.filter(Number.isFinite);
    const scale = relative ? finite.reduce((sum, mean) => sum + mean, 0) / finite.length || 1 : 1;
    return Array.from(part.means, (mean, i) => ({ part, i, score: mean / scale }));
  });
  // Sorting is stable: equal scores go in the order of the matrix.
  all.sort((a, b) => a.score - b.score);
  let left = share * parts.reduce((sum, { sizes }) => sum + sizes.reduce((total, size) => total + size, 0), 0);
  for (const { part, i, score } of all) {
    // The block that comes nearest to the share is the last.
    if (score === Number.POSITIVE_INFINITY || left < part.sizes[i]! / 2) break;
    part.kept[i] = 0;
    left -= part.sizes[i]!;
  }
}

function refuseEmpty({ kept, chosen, gate }: Part): void {
  if (kept.includes(1)) return;
  const { place, gateRows, columns } = chosen;
  fail('OPTION_INVALID', 'this would leave a gate or a layer with nothing', {
    place: [place.node.name, place.role, ...(place.gates ? [place.gates[gate]!] : [])].join('/'),
    expected: 'a smaller share or threshold, or smaller blocks',
    found: `all ${gateRows * columns} weights would go`,
    hint: 'leave it out with --target, or give it a share of its own with --mixed ADDRESS=SHARE',
  });
}

/** The best `keep` of every `of` neighbours along a row. */
function patternOf(matrix: Chosen, scores: ArrayLike<number>, keep: number, of: number): Sparsity {
  const { rows, columns, gateRows, shares, diagonal } = matrix;
  const kept = new Uint8Array(rows * columns).fill(1);
  for (let row = 0; row < rows; row++) {
    if (shares[Math.floor(row / gateRows)] === undefined) continue;
    for (let from = 0; from < columns; from += of) {
      const width = Math.min(of, columns - from);
      const order = Array.from({ length: width }, (_, i) => row * columns + from + i);
      order.sort((a, b) => scores[b]! - scores[a]! || a - b);
      for (const at of order.slice(Math.ceil((keep * width) / of))) kept[at] = 0;
    }
    if (diagonal && row % gateRows < columns) kept[row * columns + (row % gateRows)] = 1;
  }
  return sparsityOf(matrix, [1, 1], kept);
}
