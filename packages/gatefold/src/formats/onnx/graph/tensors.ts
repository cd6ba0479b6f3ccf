import { fail } from '@gatefold/runtime';
import type { ReadOptions } from '../../types.ts';
import type { Message } from '../proto/schema.ts';
import { readTensor } from './initializer.ts';
import type { Constant } from './tensor.ts';

type Graph = Message<'Graph'>;

/** Every graph of the file, branches included, outermost first. */
export function graphsOf(graph: Graph): Graph[] {
  return [graph, ...graph.node.flatMap(({ attribute }) => attribute.flatMap(({ g }) => (g ? graphsOf(g) : [])))];
}

/** Reads every tensor of the file, external ones included. @throws FILE_*, MODEL_UNSUPPORTED with the tensor's name */
export async function readTensors(
  graphs: readonly Graph[],
  beside: ReadOptions['beside'],
): Promise<Map<Message<'Tensor'>, Constant>> {
  const out = new Map<Message<'Tensor'>, Constant>();
  for (const graph of graphs) {
    for (const tensor of graph.initializer) out.set(tensor, await readTensor(tensor, tensor.name ?? '', beside));
    for (const node of graph.node) {
      for (const { name, t } of node.attribute) {
        if (t) out.set(t, await readTensor(t, `${node.name || node.output[0]}.${name}`, beside));
      }
    }
  }
  return out;
}

/** How many nodes and outputs use each tensor. */
export function countUses(graphs: readonly Graph[]): Map<string, number> {
  const uses = new Map<string, number>();
  const count = (name: string | undefined) => {
    if (name) uses.set(name, (uses.get(name) ?? 0) + 1);
  };
  for (const { node, output } of graphs) {
    for (const { input } of node) for (const name of input) count(name);
    for (const { name } of output) count(name);
  }
  return uses;
}

/** @throws FILE_UNUSED naming initializers that nothing uses */
export function refuseUnused(graphs: readonly Graph[], uses: ReadonlyMap<string, number>): void {
  const idle = graphs
    .flatMap(({ initializer }) => initializer.map(({ name }) => name ?? ''))
    .filter((name) => !uses.has(name));
  if (idle.length === 0) return;
  fail('FILE_UNUSED', 'the file holds tensors that no node uses', {
    found: `${idle.slice(0, 5).join(', ')}${idle.length > 5 ? ` and ${idle.length - 5} more` : ''}`,
  });
}
