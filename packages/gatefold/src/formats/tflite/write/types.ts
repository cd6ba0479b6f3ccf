import type { Node } from '@gatefold/runtime';
import type { Emitter } from './emit.ts';

/** Writes a node's operators and defines its outputs. */
export type NodeWriter = (emitter: Emitter, node: Node) => void;
