import { fail } from '@gatefold/runtime';
import type { Matrix, Packed } from './types.ts';

/** Columns of a panel of packed matrices: see assembly/gemm.ts. */
const PANEL = 12;

/** Hands out a linear memory from its beginning; what was taken last is freed first. */
export class Arena {
  private used: number;
  private most = 0;
  private readonly reserve: (numbers: number) => void;
  private readonly limit: number;

  /** `reserve` makes the memory at least so many numbers large. */
  constructor(start: number, limit: number, reserve: (numbers: number) => void) {
    this.used = start;
    this.limit = limit;
    this.reserve = reserve;
  }

  get peak(): number {
    return this.most;
  }

  /** @throws MEMORY_LIMIT */
  alloc(rows: number, cols: number): Matrix {
    const at = this.used;
    // Kernels read four numbers at a time.
    const end = at + Math.ceil((rows * cols) / 4) * 4;
    if (end > this.limit) {
      fail('MEMORY_LIMIT', 'training needs more memory than there may be', {
        expected: `at most ${this.limit} numbers`,
        found: `${end}`,
        hint: 'take a smaller batch or shorter sequences',
      });
    }
    this.used = end;
    this.most = Math.max(this.most, end);
    this.reserve(end);
    return { at, rows, cols, stride: cols };
  }

  mark(): number {
    return this.used;
  }

  release(mark: number): void {
    this.used = mark;
  }
}

/** What every backend has in common: memory that an arena hands out. */
export abstract class OnArena {
  protected abstract readonly arena: Arena;

  alloc(rows: number, cols: number): Matrix {
    return this.arena.alloc(rows, cols);
  }

  /** Room for op(b), in whole panels. */
  protected allocPacked(b: Matrix, transpose: boolean): Packed {
    const [rows, cols] = transpose ? [b.cols, b.rows] : [b.rows, b.cols];
    const { at } = this.arena.alloc(rows, Math.ceil(cols / PANEL) * PANEL);
    return { at, rows, cols };
  }

  mark(): number {
    return this.arena.mark();
  }

  release(mark: number): void {
    this.arena.release(mark);
  }

  get peak(): number {
    return this.arena.peak;
  }
}
