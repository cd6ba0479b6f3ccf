import { fail } from '../errors/index.ts';

/**
 * How many rows per batch element a value has. Time belongs to a tensor: ports open it, windows divide it, reshapes
 * fix it. Classes refer to their parent by index and always follow it.
 */
export type TimeClass =
  | { readonly kind: 'none' }
  | { readonly kind: 'port'; readonly port: string; readonly length?: number }
  | {
      readonly kind: 'window';
      readonly of: number;
      /** Rows a window reaches over: (size − 1)·dilation + 1. */
      readonly reach: number;
      readonly stride: number;
      readonly left: number;
      readonly right: number;
    }
  | { readonly kind: 'shift'; readonly of: number; readonly left: number; readonly right: number }
  | { readonly kind: 'repeat'; readonly of: number; readonly times: number }
  | { readonly kind: 'fixed'; readonly length: number }
  /** One row, due as soon as its parent has one: the last step's. */
  | { readonly kind: 'last'; readonly of: number };

/** Whether values of the class show a time dimension. */
export function hasTime(time: TimeClass): boolean {
  return time.kind !== 'none' && time.kind !== 'last';
}

/** Rows after `n` rows of the parent. */
function rowsAfter(time: TimeClass, n: number): number {
  switch (time.kind) {
    case 'window': {
      const room = n + time.left + time.right - time.reach;
      return room < 0 ? 0 : Math.floor(room / time.stride) + 1;
    }
    case 'shift':
      return Math.max(0, n + time.left + time.right);
    case 'repeat':
      return n * time.times;
    default:
      return n;
  }
}

/** The number of rows where it does not depend on the input. */
export function staticLength(times: readonly TimeClass[], id: number): number | undefined {
  // Up to the class that knows its length, then back down: graphs may be deeper than the call stack.
  const chain: TimeClass[] = [];
  let time = times[id]!;
  while (time.kind === 'window' || time.kind === 'shift' || time.kind === 'repeat') {
    chain.push(time);
    time = times[time.of]!;
  }
  let length = time.kind === 'port' || time.kind === 'fixed' ? time.length : 1;
  for (let i = chain.length - 1; i >= 0 && length !== undefined; i--) length = rowsAfter(chain[i]!, length);
  return length;
}

export interface ChunkRows {
  /** Rows of each class in this chunk. */
  readonly rows: readonly number[];
  /** For windows: where the first due window starts, relative to the chunk's first parent row (negative: in history). */
  readonly first: readonly number[];
}

/**
 * Rows of every class for a chunk of `lengths[port]` steps that follows `before[port]` earlier ones. A whole sequence
 * is the chunk that follows nothing.
 */
export function chunkRows(
  times: readonly TimeClass[],
  lengths: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>> = {},
): ChunkRows {
  const start: number[] = [];
  const end: number[] = [];
  const rows: number[] = [];
  const first: number[] = [];
  for (const time of times) {
    let a = 0;
    let b = 1;
    let f = 0;
    if (time.kind === 'port') {
      a = before[time.port] ?? 0;
      b = a + (lengths[time.port] ?? fail('INPUT_SHAPE', `no length for input "${time.port}"`));
    } else if (time.kind === 'fixed') {
      b = time.length;
    } else if (time.kind === 'last') {
      b = rows[time.of]! > 0 ? 1 : 0;
    } else if (time.kind !== 'none') {
      a = start[time.of] === 0 ? 0 : rowsAfter(time, start[time.of]!);
      b = rowsAfter(time, end[time.of]!);
      if (time.kind === 'window') f = a * time.stride - time.left - start[time.of]!;
    }
    start.push(a);
    end.push(b);
    rows.push(b - a);
    first.push(f);
  }
  return { rows, first };
}
