import { rootOf } from './cells/fold.ts';
import { Network } from './cells/network.ts';
import type { Chain } from './cells/types.ts';
import type { Lift } from './lift.ts';
import type { Lifted, Operation, Pieces } from './lifted.ts';
import type { Subgraph } from './parse.ts';

/** Inputs of the graph that do nothing but give recognised cells their states. */
export function stateInputs(graph: Subgraph, operations: readonly Operation[]): number[] {
  const network = new Network(graph, operations);
  const roots = operations.flatMap(({ cell, inputs }) =>
    cell ? inputs.slice((cell as Chain).steps.length).map((tensor) => rootOf(network, tensor)) : [],
  );
  const known = new Set(roots);
  return graph.inputs.filter((input) => known.has(input));
}

/** Whether a layer of the graph takes one step a call and keeps its state in the file's variables. */
export function keepsState({ tensors, operators }: Subgraph): boolean {
  return operators.some(({ name, inputs, options }) => {
    const shape = tensors[inputs[0] ?? -1]?.shape;
    return name.includes('_SEQUENCE_') && !name.startsWith('BI') && shape?.[options.timeMajor ? 0 : 1] === 1;
  });
}

/** Each output's elements: the values they are of, and their places in those. */
function elements(lifted: Lifted): Pieces | undefined {
  if (lifted.kind === 'pieces') return lifted;
  if (lifted.kind === 'constant' || lifted.time !== -1 || (lifted.step && lifted.step.at !== lifted.step.of - 1))
    return undefined;
  const size = lifted.shape.reduce((a, b) => a * b, 1);
  const index = Int32Array.from({ length: size }, (_, i) => i);
  return { kind: 'pieces', shape: lifted.shape, sources: [lifted.value], source: new Int32Array(size), index };
}

/**
 * The outputs that hand on what the state inputs gave, so that both can become the recurrent layers' own state: to each
 * state input its output. Inputs that miss there have none.
 */
export function pairStates(lift: Lift, inputs: readonly number[]): Map<number, number> {
  const pairs = new Map<number, number>();
  const taken = new Set<number>();
  const outputs = lift.graph.outputs.map((tensor) => ({ tensor, lifted: elements(lift.get(tensor, 'outputs')) }));
  // What is put together of several values is a state sooner than what one value shows.
  outputs.sort((a, b) => (b.lifted?.sources.length ?? 0) - (a.lifted?.sources.length ?? 0));
  for (const input of inputs) {
    const port = lift.nameOf(input);
    const bound = lift.bound.filter(({ pieces }) => pieces.sources.every((source) => source === port));
    const size = lift.graph.tensors[input]!.shape.reduce((a, b) => a * b, 1);
    const covered = bound.reduce((sum, { pieces }) => sum + pieces.index.length, 0);
    const fits = (to: Pieces) =>
      to.index.length === size &&
      bound.every(({ pieces, values }) =>
        pieces.index.every((at, k) => to.index[at] === k && values.includes(to.sources[to.source[at]!]!)),
      );
    const output = outputs.find(({ tensor, lifted }) => lifted && !taken.has(tensor) && fits(lifted));
    if (!output || covered !== size || bound.length === 0) continue;
    taken.add(output.tensor);
    pairs.set(input, output.tensor);
  }
  return pairs;
}
