import type { Node } from '@gatefold/runtime';
import type { Emitter } from './emit.ts';
import { emitLstm, emitRnn } from './fused.ts';
import type { Form } from './types.ts';
import { emitUnrolled } from './unrolled.ts';

/**
 * Whether a recurrent node is an operator of its own, which keeps states in variables: LSTM as float32 and with 8-bit activations,
 * simple layers as float32. Others stand step by step.
 */
export function isFused({ attributes }: Node, { bits, explicitStates }: Form): boolean {
  if (explicitStates !== undefined) return false;
  return attributes.cell === 'lstm' ? bits !== 16 : attributes.cell === 'rnn' && bits === undefined;
}

export function emitRecurrent(emitter: Emitter, node: Node): void {
  if (!isFused(node, emitter.form)) emitUnrolled(emitter, node);
  else if (node.attributes.cell === 'lstm') emitLstm(emitter, node);
  else emitRnn(emitter, node);
}
