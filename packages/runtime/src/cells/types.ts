import type { Activation } from '../numerics/activation.ts';

/** What a cell must know of its node to state its gates, shapes and equations. */
export interface CellOptions {
  /** Hidden units H. */
  readonly units: number;
  readonly activation: Activation;
  readonly recurrentActivation: Activation;
  /** GRU: the reset gate multiplies the state after (true) or before (false) the recurrent product. */
  readonly resetAfter: boolean;
  /** Bound of what enters the gates' functions, −clip … clip; absent: none. */
  readonly clip?: number;
  /** LSTM: the input gate is 1 − forget gate. */
  readonly coupled: boolean;
  /** LSTM: W·x + b stays within ±inputClip before the recurrent product is added (TensorFlow Lite's integers); absent: unbounded. */
  readonly inputClip?: number;
  /** LSTM: c stays within ±cellClip after each step (TensorFlow Lite); absent: unbounded. */
  readonly cellClip?: number;
  /** Whether the node carries a weight for this optional role. */
  has(role: string): boolean;
  /** Output width of the projection, where there is one; else `units`. */
  readonly outputWidth: number;
}

/**
 * How one weight of a cell is shaped and how unit k is woven through it: as row k of every gate where the rows are units (row k of
 * the whole for `output`), as column k where the columns are. A unit whose columns are zero is heard by nobody, and may go.
 */
export interface CellWeight {
  readonly role: string;
  /** Gates stacked along the rows, in order; absent where the rows are no gates. */
  readonly gates?: readonly string[];
  /** Rows per gate (or rows, without gates). */
  readonly rows: 'units' | 'output' | 'one';
  /** Columns; absent for vectors. */
  readonly columns?: 'features' | 'units' | 'output';
  /** The vector that is added to the matrix's product, row by row: where a constant of the product may be put. */
  readonly bias?: string;
  /** Gates whose rows multiply something else than the columns' vector as it is seen from outside. */
  readonly inner?: readonly string[];
  readonly optional?: boolean;
}

export interface CellState {
  readonly name: string;
  readonly width: 'units' | 'output';
}

/**
 * The arithmetic a step is written in. The lowering implements it by emitting instructions, the float64 oracle by
 * computing: one set of equations serves both.
 */
export interface StepOps<V extends object> {
  /** Rows of `role` (all gates, or `count` gates from `first`) times v; then + bias, or added to `add`. */
  linear(role: string, v: V, options?: { first?: number; count?: number; add?: V; bias?: string }): V;
  /** Gates `first` … `first + count − 1` of a vector of stacked gates; units wide each. */
  gates(z: V, first: number, count: number): V;
  /** Row `gate` of a [gates, units] weight, times v element by element. */
  scale(role: string, gate: number, v: V): V;
  apply(activation: Activation, v: V): V;
  add(a: V, b: V): V;
  multiply(a: V, b: V): V;
}

/** The gates' inputs within the cell's bound, where it has one. */
export function clipped<V extends object>(ops: StepOps<V>, z: V, { clip }: CellOptions): V {
  return clip === undefined ? z : ops.apply(['clip', -clip, clip], z);
}

/** A step's result: the new states by name; `h` is the output. */
export type StepResult<V> = Readonly<Record<string, V>>;

export interface Cell {
  readonly name: string;
  /** Gates in canonical order: the sigmoids first, the candidate last. */
  gates(options: CellOptions): readonly string[];
  readonly states: readonly CellState[];
  weights(options: CellOptions): readonly CellWeight[];
  /** One step: `pre` is W·x + b of all gates. Symbols as in the paper named in the cell's file. */
  step<V extends object>(
    ops: StepOps<V>,
    pre: V,
    state: Readonly<Record<string, V>>,
    options: CellOptions,
  ): StepResult<V>;
  /** The fused element-wise kernel that computes the same bits as `step` after the recurrent product, where one exists. */
  fused(options: CellOptions): 'lstm' | 'gru' | undefined;
}
