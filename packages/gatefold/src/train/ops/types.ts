import type { OpContext } from '@gatefold/runtime';
import type { Matrix } from '../backend/types.ts';
import type { Tape, Var } from '../tape.ts';

/** A value of the graph: rows are steps × batch, step by step (time first); without time there is one step. */
export interface Value {
  readonly v: Var;
  readonly steps: number;
  /**
   * Steps of each example, where they differ: what stands behind an example's last step is padding. It holds numbers that
   * the example might have, nothing depends on it, and no gradient comes from it.
   */
  readonly lengths?: readonly number[];
}

/** States that go from one batch to the next (truncated backpropagation through time). */
export interface CarriedState {
  readonly batch: number;
  /** By state name, [batch, width] row-major. */
  readonly values: Readonly<Record<string, Float32Array | Float64Array>>;
}

/** What an op sees while a batch runs through it. */
export interface TrainContext {
  readonly tape: Tape;
  readonly batch: number;
  /** Attributes, checked as the runtime checks them. */
  readonly op: OpContext;
  input(name: string): Value;
  optional(name: string): Value | undefined;
  weight(role: string): Var | undefined;
  /** Whether the node's statistics are the batch's own, and those that are saved follow them. */
  readonly moves: boolean;
  /** Dropout of this node's recurrent state, where it is asked for: factors [batch, width]. */
  recurrentDropout(width: number): Matrix | undefined;
  /** The states that the node ended with before, [batch, width] by name; undefined where it begins at zero. */
  before(): Readonly<Record<string, Var>> | undefined;
  /** What it ends with now. */
  after(states: Readonly<Record<string, Var>>): void;
}

/** Outputs by name. */
export type TrainOp = (context: TrainContext) => Readonly<Record<string, Value>>;
