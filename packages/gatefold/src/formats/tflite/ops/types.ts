import type { Lift } from '../lift.ts';
import type { Operation } from '../lifted.ts';

/** Gives an operation's outputs their meaning: nodes of the graph, folded constants, or views. */
export type Handler = (lift: Lift, operation: Operation) => void;
