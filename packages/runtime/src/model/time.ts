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

/** Rows of every time class in one chunk. The arrays are filled anew by every count, so that stepping allocates nothing. */
export class ChunkRows {
  /** Rows of each class in this chunk. */
  readonly rows: Float64Array;
  /** For windows: where the first due window starts, relative to the chunk's first parent row (negative: in history). */
  readonly first: Float64Array;
  private readonly times: readonly TimeClass[];
  private readonly start: Float64Array;
  private readonly end: Float64Array;

  constructor(times: readonly TimeClass[]) {
    this.times = times;
    this.rows = new Float64Array(times.length);
    this.first = new Float64Array(times.length);
    this.start = new Float64Array(times.length);
    this.end = new Float64Array(times.length);
  }

  /**
   * Counts for a chunk of `lengths[port]` steps, or as many for every port, that follows `before` earlier ones. A whole
   * sequence is the chunk that follows nothing.
   */
  count(lengths: Readonly<Record<string, number>> | number, before: number): this {
    const { times, rows, first, start, end } = this;
    for (let i = 0; i < times.length; i++) {
      const time = times[i]!;
      let a = 0;
      let b = 1;
      let f = 0;
      if (time.kind === 'port') {
        a = before;
        b = a + (typeof lengths === 'number' ? lengths : (lengths[time.port] ?? noLength(time.port)));
      } else if (time.kind === 'fixed') {
        b = time.length;
      } else if (time.kind === 'last') {
        b = rows[time.of]! > 0 ? 1 : 0;
      } else if (time.kind !== 'none') {
        a = start[time.of] === 0 ? 0 : rowsAfter(time, start[time.of]!);
        b = rowsAfter(time, end[time.of]!);
        if (time.kind === 'window') f = a * time.stride - time.left - start[time.of]!;
      }
      start[i] = a;
      end[i] = b;
      rows[i] = b - a;
      first[i] = f;
    }
    return this;
  }
}

function noLength(port: string): never {
  return fail('INPUT_SHAPE', `no length for input "${port}"`);
}
