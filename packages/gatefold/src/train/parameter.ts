import type { Matrix } from './backend/types.ts';

/** Something that the optimizer changes, and its gradient: matrices [rows, columns] as the runtime holds them, vectors in one row. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly value: Matrix;
  readonly gradient: Matrix;
  /** 1 where a weight may change, 0 where it was removed for good; absent where none was. */
  readonly kept?: Matrix;
}
