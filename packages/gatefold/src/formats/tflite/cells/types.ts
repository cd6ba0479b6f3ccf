import type { Activation } from '@gatefold/runtime';
import type { Operation } from '../lifted.ts';
import type { Sum, Term } from './network.ts';

/** One step of a recurrent cell, recognised in a graph of plain operators. */
export interface Step {
  readonly kind: 'lstm' | 'gru' | 'rnn';
  /** Weights that steps of one layer have in common. */
  readonly key: string;
  readonly x: number;
  readonly states: Readonly<Record<string, number>>;
  readonly results: Readonly<Record<string, number>>;
  /** Products with x and with the state, one per gate in canonical order. */
  readonly W: readonly Term[];
  readonly U: readonly Term[];
  readonly b: readonly Sum['biases'][];
  /** GRU with reset after: biases of the recurrent products. */
  readonly bR?: readonly Sum['biases'][];
  readonly attributes: {
    readonly activation: Activation;
    readonly recurrentActivation?: Activation;
    readonly resetAfter?: boolean;
  };
  readonly used: readonly Operation[];
}

/** Steps of one layer in the order of processing. */
export interface Chain {
  readonly steps: readonly Step[];
  /** Names of the states that come from outside: none where the first step starts from zero. */
  readonly initial: readonly string[];
}
