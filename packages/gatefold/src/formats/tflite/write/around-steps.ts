import type { Node } from '@gatefold/runtime';
import type { Emitter } from './emit.ts';
import { constantTensor, rowsOf } from './weights.ts';

/** The matrices of the gates of a weight, and vectors, as constants of their own. */
export function gateTensors(
  emitter: Emitter,
  node: Node,
  role: string,
  count: number,
  shape: readonly number[],
): number[] {
  const name = node.weights[role]!;
  const weight = emitter.model.weights[name]!;
  const rows = weight.shape[0]! / count;
  return Array.from({ length: count }, (_, gate) =>
    constantTensor(
      emitter.builder,
      `${name}/${gate}`,
      shape,
      rowsOf(weight, name, gate * rows, (gate + 1) * rows),
      false,
    ),
  );
}

export function zeroOr(emitter: Emitter, node: Node, role: string, count: number, units: number): number[] {
  if (node.weights[role] !== undefined) return gateTensors(emitter, node, role, count, [units]);
  return Array.from({ length: count }, (_, gate) =>
    emitter.builder.floats(`${node.name}/${role}/${gate}`, [units], new Float32Array(units)),
  );
}

/** Steps in reverse order. */
function reversed(emitter: Emitter, node: Node, x: number, value: string, suffix: string): number {
  const { shape, signature } = emitter.shapeOf(value);
  const width = emitter.builder.shapeOf(x).at(-1)!;
  const dims = shape.with(-1, width);
  const y = emitter.between(node, suffix, dims, signature?.with(-1, width));
  emitter.builder.operator('REVERSE_V2', [x, emitter.builder.ints(`${node.name}/${suffix}/axis`, [1])], [y]);
  return y;
}

/**
 * Runs `cell` over x, backward where the node does, and shows its outputs as the node's; `wide` says whether these are 16-bit
 * integers where activations are integers.
 */
export function aroundSteps(
  emitter: Emitter,
  node: Node,
  { width, wide }: { readonly width: number; readonly wide: boolean },
  cell: (x: number, y: number) => void,
): void {
  const { x: value, mask, h, c } = node.inputs;
  if (mask !== undefined) emitter.refuse(node, 'masked steps');
  if (h !== undefined || c !== undefined) emitter.refuse(node, 'initial states that are given with the sequence');
  if (node.outputs.c !== undefined) emitter.refuse(node, 'its cell state as an output');
  const backward = node.attributes.direction === 'backward';
  const given = emitter.tensorOf(value!);
  const x = backward ? reversed(emitter, node, given, value!, 'reversed') : given;
  const { shape, signature } = emitter.shapeOf(value!);
  const dims = shape.with(-1, width);
  const range = emitter.ranges?.steps.get(node.name)?.states.h;
  const all = emitter.between(node, backward ? 'processed' : 'sequence', dims, signature?.with(-1, width), {
    ...(range && { range }),
    wide,
  });
  cell(x, all);
  if (node.outputs.h !== undefined) emitLast(emitter, node, all, emitter.define(node.outputs.h));
  if (node.outputs.y === undefined) return;
  emitter.alias(node.outputs.y, backward ? reversed(emitter, node, all, value!, 'in order') : all);
}

/** The last step of a sequence. */
export function emitLast(emitter: Emitter, node: Node, x: number, y: number): void {
  const { builder } = emitter;
  const list = (what: string, values: number[]) => builder.ints(`${node.name}/${what}`, values);
  const inputs = [x, list('begin', [0, -1, 0]), list('end', [0, 0, 0]), list('strides', [1, 1, 1])];
  builder.operator('STRIDED_SLICE', inputs, [y], { beginMask: 5, endMask: 7, shrinkAxisMask: 2 });
}
