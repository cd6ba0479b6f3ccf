import type { Node } from '@gatefold/runtime';
import { writtenCell } from './cell.ts';
import { type Emitter, sharingKey } from './emitter.ts';
import { reversed } from './hand-through.ts';
import { masked, truths } from './masks.ts';
import type { LayerTensor } from './types.ts';

type Maker = (e: Emitter, node: Node) => void;

/** What the tensors of a layer are to the graph. */
interface Outputs {
  /** Steps in the order of processing. */
  readonly y?: LayerTensor;
  readonly h?: LayerTensor;
  readonly c?: LayerTensor;
}

function isBackward({ attributes }: Node): boolean {
  return attributes.direction === 'backward';
}

/** Adds the layer of a recurrent node with the outputs that are used. */
function addLayer(e: Emitter, node: Node): Outputs {
  const { x, mask, h, c } = node.inputs as { x: string; mask?: string; h?: string; c?: string };
  const used = { y: e.isUsed(node.outputs.y), h: e.isUsed(node.outputs.h), c: e.isUsed(node.outputs.c) };
  if (mask === undefined) e.checkUnmasked(node);
  const states = initialStates(e, node, h, c);
  const stateful = node.attributes.stateful === true;
  const zero = mask !== undefined && node.attributes.zeroOutputForMask === true;
  if (zero && e.dialect === 'tfjs') e.refuse(node, 'its outputs of masked steps are zero');
  // Keras 3 hands no mask to a layer with initial states, unless it is named.
  const asArgument = mask !== undefined && states.length > 0 && e.dialect === 'keras3';
  if (states.length > 0 && e.dialect === 'keras2')
    e.notes.add('a layer is given initial states: Keras 2 loads that from .h5, for Keras 3 write a .keras');
  const input = mask === undefined || asArgument ? { tensor: e.plain(x), extra: false } : masked(e, node, x, mask);
  // Where the first output may differ from the state, the state is asked for.
  const differs = mask !== undefined && (stateful || states.length > 0 || zero);
  const wantsStates = used.c || (used.h && (used.y || differs));
  const { className, config, weights } = writtenCell(e, node, input.extra ? 1 : 0, ['cell']);
  if (stateful) e.notes.add('stateful layers are written for batches of one sequence');
  const options = {
    ...config,
    return_sequences: used.y,
    return_state: wantsStates,
    go_backwards: isBackward(node),
    stateful,
    ...(zero ? { zero_output_for_mask: true } : {}),
  };
  const key = input.extra ? undefined : sharingKey(node);
  const first = e.add(className, node.name, options, [input.tensor], {
    weights,
    states,
    key,
    ...(asArgument ? { mask: truths(e, node, mask) } : {}),
  });
  const at = (output: number): LayerTensor => ({ ...first, output });
  const y = used.y
    ? { y: input.extra || asArgument ? e.strip({ ...first, mask }, node.name) : { ...first, mask } }
    : {};
  if (!wantsStates) return used.y ? y : { h: first };
  return { ...y, h: at(1), ...(used.c ? { c: at(2) } : {}) };
}

/** Keras takes all states or none. */
function initialStates(e: Emitter, node: Node, h: string | undefined, c: string | undefined): LayerTensor[] {
  if (h === undefined && c === undefined) return [];
  const isLstm = node.attributes.cell === 'lstm';
  if (h === undefined || (isLstm && c === undefined)) e.refuse(node, 'one of two initial states is given');
  if (e.dialect === 'tfjs' && node.inputs.mask !== undefined) e.refuse(node, 'it is masked and has initial states');
  return [h, ...(isLstm ? [c!] : [])].map((state) => e.plain(state));
}

const recurrent: Maker = (e, node) => {
  let made: Outputs | undefined;
  const outputs = () => {
    made ??= addLayer(e, node);
    return made;
  };
  const { y, h, c } = node.outputs;
  if (h !== undefined) e.later(h, () => outputs().h!);
  if (c !== undefined) e.later(c, () => outputs().c!);
  if (y === undefined) return;
  if (!isBackward(node)) {
    e.later(y, () => outputs().y!);
    return;
  }
  e.processedLater(y, () => outputs().y!);
  e.later(y, () => reversed(e, `${node.name}/reversed`, node, e.strip(outputs().y!, node.name), e.width(y)));
};

/** How Bidirectional joins its directions. */
export type MergeMode = 'concat' | 'sum' | 'mul';

/**
 * Two directions over one sequence that a node joins and that nothing else uses, as Keras' Bidirectional; undefined where
 * they are no such pair.
 */
export function bidirectional(e: Emitter, join: Node, a: string, b: string, mode: MergeMode): LayerTensor | undefined {
  const [forward, backward] = [e.producer(a), e.producer(b)];
  if (!forward || !backward || !isPair(forward, backward)) return undefined;
  const sequences = forward.outputs.y === a;
  const output = sequences ? 'y' : 'h';
  const lone = (node: Node, value: string) =>
    node.outputs[output] === value &&
    e.onlyUser(value) === join &&
    Object.values(node.outputs).filter((v) => e.isUsed(v)).length === 1;
  if (!lone(forward, a) || !lone(backward, b)) return undefined;
  const { x, mask } = forward.inputs as { x: string; mask?: string };
  // The wrapper makes masked steps zero where it returns sequences, and only there; TensorFlow.js does not.
  const zero = forward.attributes.zeroOutputForMask === true;
  if (mask !== undefined && (zero !== sequences || e.dialect === 'tfjs')) return undefined;
  const input = mask === undefined ? { tensor: e.plain(x), extra: false } : masked(e, join, x, mask);
  if (mask === undefined) e.checkUnmasked(forward);
  const more = input.extra ? 1 : 0;
  const [one, other] = [
    writtenCell(e, forward, more, ['forward_layer', 'cell']),
    writtenCell(e, backward, more, ['backward_layer', 'cell']),
  ];
  const stateful = forward.attributes.stateful === true;
  const config = { ...one.config, return_sequences: sequences, return_state: false, go_backwards: false, stateful };
  if (JSON.stringify(one.config) !== JSON.stringify(other.config)) return undefined;
  const y = e.add('Bidirectional', join.name, { merge_mode: mode }, [input.tensor], {
    weights: [...one.weights, ...other.weights],
    inner: { className: one.className, name: one.className.toLowerCase(), config },
    key: input.extra ? undefined : JSON.stringify([sharingKey(forward), sharingKey(backward)]),
  });
  if (!sequences || mask === undefined) return y;
  return input.extra ? e.strip({ ...y, mask }, join.name) : { ...y, mask };
}

function isPair(forward: Node, backward: Node): boolean {
  if (forward.op !== 'recurrent' || backward.op !== 'recurrent' || forward === backward) return false;
  const { direction, ...one } = forward.attributes;
  const { direction: other, ...two } = backward.attributes;
  if (direction === 'backward' || other !== 'backward' || JSON.stringify(one) !== JSON.stringify(two)) return false;
  const names = (node: Node) => JSON.stringify([node.inputs.x, node.inputs.mask]);
  const free = (node: Node) => node.inputs.h === undefined && node.inputs.c === undefined;
  return names(forward) === names(backward) && free(forward) && free(backward) && one.stateful !== true;
}

export const recurrentMakers: Readonly<Record<string, Maker>> = { recurrent };
