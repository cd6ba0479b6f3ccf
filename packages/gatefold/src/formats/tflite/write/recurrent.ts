import type { Node } from '@gatefold/runtime';
import { gateBound } from '../schema.ts';
import type { Emitter } from './emit.ts';
import { isFused } from './form.ts';
import { emitLstm, emitRnn } from './fused.ts';
import { emitUnrolled } from './unrolled.ts';

/** Gates that saturate are those of 8-bit LSTM operators, which do so whether or not they are asked to. */
function refuseBounds(emitter: Emitter, node: Node, fused: boolean): void {
  const bounds = ['clip', 'inputClip'].flatMap((name) => node.attributes[name] ?? []);
  const saturates = fused && node.attributes.cell === 'lstm' && emitter.form.bits === 8;
  if (bounds.length === 0 || (saturates && bounds.every((bound) => bound === gateBound))) return;
  const hint = `only its LSTM of 8 bits has such a bound, of ${gateBound}`;
  emitter.refuse(node, `a bound of its gates of ${bounds.join(' and ')}`, hint);
}

export function emitRecurrent(emitter: Emitter, node: Node): void {
  const fused = isFused(node, emitter.form);
  refuseBounds(emitter, node, fused);
  if (!fused) emitUnrolled(emitter, node);
  else if (node.attributes.cell === 'lstm') emitLstm(emitter, node);
  else emitRnn(emitter, node);
}
