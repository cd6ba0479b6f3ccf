import type { Node } from '@gatefold/runtime';
import { writtenCell } from './cell.ts';
import { type Emitter, sharingKey } from './emitter.ts';
import { soleSource } from './last-step.ts';
import { masked } from './masks.ts';
import type { LayerTensor } from './types.ts';

/** How Bidirectional joins its directions. */
export type MergeMode = 'concat' | 'sum' | 'mul';

/**
 * Two directions over one sequence that a node joins and that nothing else uses, as Keras' Bidirectional; undefined where
 * they are no such pair.
 */
export function bidirectional(e: Emitter, join: Node, a: string, b: string, mode: MergeMode): LayerTensor | undefined {
  const [left, right] = [soleSource(e, a, join), soleSource(e, b, join)];
  if (!left || !right || left.isLast !== right.isLast || !isPair(left.node, right.node)) return undefined;
  const [forward, backward] = [left.node, right.node];
  const sequences = !left.isLast;
  const { x, mask } = forward.inputs as { x: string; mask?: string };
  // The wrapper makes masked steps zero where it returns sequences, and only there; TensorFlow.js does not.
  const zero = forward.attributes.zeroOutputForMask === true;
  if (mask !== undefined && (zero !== sequences || e.dialect === 'tfjs')) return undefined;
  if (mask === undefined) e.checkUnmasked(forward);
  const input = mask === undefined ? { tensor: e.plain(x), extra: false } : masked(e, join, x, mask);
  const more = input.extra ? 1 : 0;
  const [one, two] = [
    writtenCell(e, forward, more, ['forward_layer', 'cell']),
    writtenCell(e, backward, more, ['backward_layer', 'cell']),
  ];
  if (JSON.stringify(one.config) !== JSON.stringify(two.config)) return undefined;
  const config = {
    ...one.config,
    return_sequences: sequences,
    return_state: false,
    go_backwards: false,
    stateful: false,
  };
  const y = e.add('Bidirectional', join.name, { merge_mode: mode }, [input.tensor], {
    weights: [...one.weights, ...two.weights],
    inner: { className: one.className, name: one.className.toLowerCase(), config },
    key: input.extra ? undefined : JSON.stringify([sharingKey(forward), sharingKey(backward)]),
  });
  if (!sequences || mask === undefined) return y;
  return input.extra ? e.strip({ ...y, mask }, join.name) : { ...y, mask };
}

/** Whether two nodes are the same but for their weights and directions, without states from elsewhere. */
function isPair(forward: Node, backward: Node): boolean {
  const { direction, ...one } = forward.attributes;
  const { direction: other, ...two } = backward.attributes;
  if (direction === 'backward' || other !== 'backward' || JSON.stringify(one) !== JSON.stringify(two)) return false;
  const names = (node: Node) => JSON.stringify([node.inputs.x, node.inputs.mask]);
  const free = (node: Node) => node.inputs.h === undefined && node.inputs.c === undefined;
  return names(forward) === names(backward) && free(forward) && free(backward) && one.stateful !== true;
}
