import type { Model, Node } from '@gatefold/runtime';
import type { Emitter } from './emit.ts';
import { emitLstm, emitRnn } from './fused.ts';
import type { ActivationBits } from './types.ts';
import { emitUnrolled } from './unrolled.ts';

/**
 * Whether a recurrent node has an operator of its own: LSTM as float32 and with 8-bit activations, simple layers as float32. Others
 * stand step by step.
 */
export function isFused({ attributes }: Node, bits: ActivationBits): boolean {
  return attributes.cell === 'lstm' ? bits !== 16 : attributes.cell === 'rnn' && bits === undefined;
}

/** Whether the model has a recurrent node that stands step by step. */
export function hasUnrolled({ graphs }: Model, bits: ActivationBits): boolean {
  return Object.values(graphs).some(({ nodes }) =>
    nodes.some((node) => node.op === 'recurrent' && !isFused(node, bits)),
  );
}

export function emitRecurrent(emitter: Emitter, node: Node): void {
  if (!isFused(node, emitter.bits)) emitUnrolled(emitter, node);
  else if (node.attributes.cell === 'lstm') emitLstm(emitter, node);
  else emitRnn(emitter, node);
}
