import type { Weight } from '../encodings/index.ts';
import type { Vector } from './builder.ts';

/** A product of a matrix, or of some of its gates, to be emitted. */
export interface Product {
  readonly weight: Weight;
  /** Name of the weight: constants are shared by it. */
  readonly name: string;
  readonly place: string;
  readonly src: Vector;
  readonly dst: Vector;
  readonly time: number;
  /** Rows per gate (all rows without gates), and which gates. */
  readonly blockRows: number;
  readonly first: number;
  readonly count: number;
  /** y = add + W·x … */
  readonly add?: Vector | undefined;
  /** … or W·x + bias (address of a packed vector of all the weight's gates). */
  readonly bias?: number | undefined;
}
