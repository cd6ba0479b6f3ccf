import { fail } from '@gatefold/runtime';
import type { Criterion } from './criteria.ts';

/** What the prune pass can be told. One of `sparsity`, `threshold` and `pattern` says how much. */
export interface PruneOptions {
  /** Share of the weights to remove, 0 … 1. */
  readonly sparsity?: number;
  /** Remove what scores below this: for magnitude |w|, for gradient |∂L/∂w|, for taylor |w·∂L/∂w|; of a block, its root mean square. */
  readonly threshold?: number;
  /** Keep n of every m neighbours of a row. */
  readonly pattern?: readonly [keep: number, of: number];
  /** Rows × columns that stay or go together; default [8, 4] (what the kernels skip), with a threshold or a pattern [1, 1]. */
  readonly block?: readonly [rows: number, columns: number];
  /** What tells important weights; default magnitude. */
  readonly criterion?: Criterion;
  /**
   * What the share is of: each gate (default), each matrix, or all together, where scores are taken relative to their gate's mean
   * (global), or each gate loses what it can, by measurement on training data (measured).
   */
  readonly scope?: 'gate' | 'matrix' | 'global' | 'measured';
  /** The diagonals of recurrent matrices stay. */
  readonly diagonal?: boolean;
  /** Hidden units change places first, so that large weights share blocks; the model computes the same. */
  readonly reorder?: boolean;
  /** Addresses to work on; default every matrix that multiplies and has at least `smallest` weights. */
  readonly target?: readonly string[];
  /** With a share and without targets: matrices of fewer weights are left alone where others have more; default 4096. */
  readonly smallest?: number;
  /** Another share for some addresses, down to single gates; the last that matches counts. */
  readonly mixed?: readonly { readonly target: string; readonly sparsity: number }[];
  /** With training: how the share grows. */
  readonly schedule?: ScheduleOptions;
}

/** How the share of removed weights grows while training. */
export interface ScheduleOptions {
  /**
   * `cubic` (Zhu & Gupta 2017) and `linear` grow from `initial` to the whole; `once` removes everything before the first step; `rigl`
   * too, and then moves what stays to where gradients are largest (Evci et al. 2020). Points are [progress, share of the goal].
   */
  readonly shape?: 'cubic' | 'linear' | 'once' | 'rigl' | readonly (readonly [progress: number, share: number])[];
  /** Share at the beginning; default 0. */
  readonly initial?: number;
  /** Progress of training, 0 … 1, at which it begins and ends to grow; default 0 and 0.6. */
  readonly begin?: number;
  readonly end?: number;
  /** Updates between two looks at the scores; default a hundredth of all, at least 1. */
  readonly every?: number;
}

/** Options with defaults filled in. */
export interface Settled {
  readonly amount:
    | { readonly kind: 'sparsity'; readonly share: number }
    | { readonly kind: 'threshold'; readonly value: number }
    | { readonly kind: 'pattern'; readonly keep: number; readonly of: number };
  readonly block: readonly [number, number];
  readonly criterion: Criterion;
  readonly scope: 'gate' | 'matrix' | 'global' | 'measured';
  readonly diagonal: boolean;
  readonly reorder: boolean;
  readonly smallest: number;
  readonly mixed: readonly { readonly target: string; readonly sparsity: number }[];
  readonly target: readonly string[];
}

/** @throws OPTION_INVALID for options out of range or that exclude each other */
export function settle(options: PruneOptions, trains: boolean): Settled {
  const { criterion = 'magnitude', scope = 'gate', mixed = [], diagonal = false, reorder = false } = options;
  const amount = amountOf(options);
  const block = options.block ?? (amount.kind === 'sparsity' ? [8, 4] : [1, 1]);
  if (block.some((n) => !Number.isInteger(n) || n < 1 || n > 4096)) {
    refuse('block', 'two whole numbers from 1 to 4096, such as 8x4', block.join('x'));
  }
  if (amount.kind === 'pattern' && (block[0] !== 1 || block[1] !== 1)) {
    refuse('block', '1x1 with a pattern', block.join('x'));
  }
  if (reorder && block[0] * block[1] === 1) refuse('reorder', 'blocks of several weights', block.join('x'));
  for (const { target, sparsity } of mixed) checkShare(`mixed ${target}`, sparsity);
  const together = scope === 'global' || scope === 'measured';
  if (mixed.length > 0 && (together || amount.kind !== 'sparsity')) {
    refuse('mixed', 'shares of their own only beside --sparsity, by gate or matrix', `${amount.kind}, scope ${scope}`);
  }
  if (criterion === 'movement' && !trains) refuse('criterion', 'movement only where the pass trains', 'movement');
  if (amount.kind === 'threshold') {
    if (!['magnitude', 'gradient', 'taylor'].includes(criterion)) {
      refuse('criterion', 'magnitude, gradient or taylor with a threshold', criterion);
    }
    if (together) refuse('scope', 'gate or matrix with a threshold', scope);
  }
  if (criterion === 'obs' && diagonal) refuse('diagonal', 'no kept diagonals with criterion obs', 'true');
  if (amount.kind === 'pattern' && together) refuse('scope', 'gate or matrix with a pattern', scope);
  if (criterion === 'obs' && scope === 'global') refuse('scope', 'gate or matrix with criterion obs', 'global');
  return {
    ...{ amount, block, criterion, scope, diagonal, reorder, mixed },
    // A threshold spares what matters by itself.
    smallest: options.smallest ?? (amount.kind === 'sparsity' ? 4096 : 0),
    target: options.target ?? [],
  };
}

function amountOf({ sparsity, threshold, pattern }: PruneOptions): Settled['amount'] {
  const given = [sparsity, threshold, pattern].filter((value) => value !== undefined);
  if (given.length !== 1) {
    refuse('sparsity', 'one of sparsity, threshold and pattern', given.length === 0 ? 'none' : 'several');
  }
  if (sparsity !== undefined) {
    checkShare('sparsity', sparsity);
    return { kind: 'sparsity', share: sparsity };
  }
  if (threshold !== undefined) {
    if (!(threshold > 0) || !Number.isFinite(threshold)) refuse('threshold', 'a number above 0', String(threshold));
    return { kind: 'threshold', value: threshold };
  }
  const [keep, of] = pattern!;
  if (!Number.isInteger(keep) || !Number.isInteger(of) || keep < 1 || of <= keep || of > 256) {
    refuse('pattern', 'keep:of with 1 ≤ keep < of ≤ 256, such as 2:4', `${keep}:${of}`);
  }
  return { kind: 'pattern', keep, of };
}

function checkShare(option: string, share: number): void {
  if (!(share > 0 && share < 1)) {
    refuse(option, 'a share above 0 and below 1; 1 would leave nothing', String(share));
  }
}

export function refuse(option: string, expected: string, found: string): never {
  fail('OPTION_INVALID', `option "${option}" does not fit`, { place: option, expected, found });
}
