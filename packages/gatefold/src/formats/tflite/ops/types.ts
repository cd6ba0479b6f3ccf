import type { Lift, Operation } from '../lift.ts';

/** Gives an operation's outputs their meaning: nodes of the graph, folded constants, or views. */
export type Handler = (lift: Lift, operation: Operation) => void;
