import type { Constant } from './constant.ts';
import type { Operator } from './parse.ts';

/**
 * A computed tensor: a value of the graph and how the file's dimensions show it. Batches are one, as in the file.
 * Values without time may be viewed in any shape of their size; those with time keep it in dimension `time`, or hide it
 * (−1) where the file has but one step.
 */
export interface Signal {
  readonly kind: 'signal';
  readonly value: string;
  readonly shape: readonly number[];
  readonly time: number;
  /** One step of the value, where the file took it out: of how many. */
  readonly step?: { readonly at: number; readonly of: number };
}

/** A tensor put together from elements of state ports or of values: TensorFlow Lite files pack states so. */
export interface Pieces {
  readonly kind: 'pieces';
  readonly shape: readonly number[];
  /** Of each element: the port or value it is of, and its place in that. */
  readonly sources: readonly string[];
  readonly source: Int32Array;
  readonly index: Int32Array;
}

export type Lifted = Constant | Signal | Pieces;

/** An operator, or what several were recognised to be; `name` then is the layer's. */
export interface Operation extends Operator {
  /** Gate matrices and the like of a recognised cell. */
  readonly cell?: unknown;
}

/** A state of a recurrent node that the file hands in from outside. */
export interface BoundState {
  /** The elements of the input that it starts from. */
  readonly pieces: Pieces;
  /** The values that hold it after the last step. */
  readonly values: readonly string[];
}
