import type { Node } from '@gatefold/runtime';
import type { Emitter } from './emitter.ts';

/** How the steps of a recurrent node are used. */
export interface StepUses {
  /** Something sees more than the last step processed. */
  readonly steps: boolean;
  /** Values from which nodes take that step: the sequence itself or, of a backward node, the sequence turned around. */
  readonly lastOf: readonly string[];
}

/** Whether a node runs backward in time. */
export function isBackward({ attributes }: Node): boolean {
  return attributes.direction === 'backward';
}

export function stepUses(e: Emitter, node: Node): StepUses {
  const { y } = node.outputs;
  if (y === undefined || !e.isUsed(y)) return { steps: false, lastOf: [] };
  const usesOf = (value: string): StepUses => ({
    steps: e.isOutput(value) || e.usersOf(value).some(({ op }) => op !== 'last'),
    lastOf: e.usersOf(value).some(({ op }) => op === 'last') ? [value] : [],
  });
  if (!isBackward(node)) return usesOf(y);
  const users = e.usersOf(y);
  const turned = users.filter(({ op }) => op === 'reverse').map(({ outputs }) => usesOf(outputs.y!));
  return {
    steps: e.isOutput(y) || users.some(({ op }) => op !== 'reverse') || turned.some(({ steps }) => steps),
    lastOf: turned.flatMap(({ lastOf }) => lastOf),
  };
}

/** The recurrent node whose steps, or whose last step or state, a value is, where nothing else uses them. */
export function soleSource(e: Emitter, value: string, user: Node): { node: Node; isLast: boolean } | undefined {
  const node = e.producer(value);
  if (!node || e.onlyUser(value) !== user) return undefined;
  if (node.op === 'last') {
    const inner = soleSteps(e, node.inputs.x!, node);
    return inner && { node: inner, isLast: true };
  }
  if (node.op !== 'recurrent') return undefined;
  const used = Object.values(node.outputs).filter((output) => e.isUsed(output));
  if (used.length !== 1 || value === node.outputs.c) return undefined;
  return { node, isLast: value === node.outputs.h };
}

/** The node whose steps, in the order of processing, a `last` node takes. */
function soleSteps(e: Emitter, value: string, user: Node): Node | undefined {
  const turned = e.producer(value);
  const isTurned = turned?.op === 'reverse';
  const steps = isTurned ? turned.inputs.x! : value;
  const node = e.producer(steps);
  if (node?.op !== 'recurrent' || isBackward(node) !== isTurned || node.outputs.y !== steps) return undefined;
  if (e.onlyUser(value) !== user || (isTurned && e.onlyUser(steps) !== turned)) return undefined;
  return Object.values(node.outputs).filter((output) => e.isUsed(output)).length === 1 ? node : undefined;
}
