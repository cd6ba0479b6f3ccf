import type { Node } from '@gatefold/runtime';
import { writtenCell } from './cell.ts';
import { type Emitter, sharingKey } from './emitter.ts';
import { reversed } from './hand-through.ts';
import { isBackward, stepUses } from './last-step.ts';
import { masked, truths } from './masks.ts';
import type { LayerTensor } from './types.ts';

type Maker = (e: Emitter, node: Node) => void;

/** What the tensors of a layer are to the graph. */
interface Outputs {
  /** Steps in the order of processing. */
  readonly y?: LayerTensor;
  /** The last of them. */
  readonly last?: LayerTensor;
  readonly h?: LayerTensor;
  readonly c?: LayerTensor;
}

/** Adds the layer of a recurrent node with the outputs that are used. */
function addLayer(e: Emitter, node: Node): Outputs {
  const { x, mask, h: h0, c: c0 } = node.inputs as { x: string; mask?: string; h?: string; c?: string };
  if (mask === undefined) e.checkUnmasked(node);
  const initial = initialStates(e, node, h0, c0);
  const stateful = node.attributes.stateful === true;
  const zero = mask !== undefined && node.attributes.zeroOutputForMask === true;
  if (zero && e.dialect === 'tfjs') e.refuse(node, 'its outputs of masked steps are zero');
  // Keras 3 hands no mask to a layer with initial states, unless it is named.
  const asArgument = mask !== undefined && initial.length > 0 && e.dialect === 'keras3';
  if (initial.length > 0 && e.dialect === 'keras2')
    e.notes.add('a layer is given initial states: Keras 2 loads that from .h5, for Keras 3 write a .keras');
  const input = mask === undefined || asArgument ? { tensor: e.plain(x), extra: false } : masked(e, node, x, mask);
  const { steps, lastOf } = stepUses(e, node);
  const wants = { last: lastOf.length > 0, h: e.isUsed(node.outputs.h), c: e.isUsed(node.outputs.c) };
  // Where the last output may differ from the state, each is asked for by itself.
  const differs = mask !== undefined && (stateful || initial.length > 0 || zero);
  const wantsStates = wants.c || (wants.h && (steps || differs)) || (wants.last && steps && !differs);
  const { className, config, weights } = writtenCell(e, node, input.extra ? 1 : 0, ['cell']);
  if (stateful) e.notes.add('stateful layers are written for batches of one sequence');
  const options = {
    ...config,
    return_sequences: steps,
    return_state: wantsStates,
    go_backwards: isBackward(node),
    stateful,
    ...(zero ? { zero_output_for_mask: true } : {}),
  };
  const first = e.add(className, node.name, options, [input.tensor], {
    weights,
    states: initial,
    key: input.extra ? undefined : sharingKey(node),
    ...(asArgument ? { mask: truths(e, node, mask) } : {}),
  });
  const states = wantsStates ? { h: { ...first, output: 1 }, c: { ...first, output: 2 } } : undefined;
  if (!steps) return { last: first, h: first, ...states };
  const y = input.extra || asArgument ? e.strip({ ...first, mask }, node.name) : { ...first, mask };
  return { y, ...(states && !differs ? { last: states.h } : {}), ...states };
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
  for (const value of stepUses(e, node).lastOf) e.lastLater(value, () => outputs().last);
  if (y === undefined) return;
  if (!isBackward(node)) {
    e.later(y, () => outputs().y!);
    return;
  }
  e.processedLater(y, () => outputs().y!);
  e.later(y, () => reversed(e, `${node.name}/reversed`, node, e.strip(outputs().y!, node.name), e.width(y)));
};

export const recurrentMakers: Readonly<Record<string, Maker>> = { recurrent };
