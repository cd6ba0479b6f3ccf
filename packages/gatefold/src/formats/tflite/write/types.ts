import type { Node } from '@gatefold/runtime';
import type { Emitter } from './emit.ts';

/** Writes a node's operators and defines its outputs. */
export type NodeWriter = (emitter: Emitter, node: Node) => void;

/** How recurrent cells and activations stand in a file. */
export interface Form {
  /** Width of activations as integers; undefined where they stay float32. */
  readonly bits: 8 | 16 | undefined;
  /** States are inputs and outputs (true), start at zero in every call (false), or stand in variables where an operator has such. */
  readonly explicitStates: boolean | undefined;
}
