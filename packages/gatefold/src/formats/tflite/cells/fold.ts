import type { Operation } from '../lifted.ts';
import type { Subgraph } from '../parse.ts';
import { firstStepOf } from './first-step.ts';
import { gruAt, rnnAt } from './gru.ts';
import { lstmAt } from './lstm.ts';
import { Network } from './network.ts';
import type { Chain, Step } from './types.ts';

/** Operators that only rearrange their first (SPLIT: second) input. */
const rearranging = new Set([
  'STRIDED_SLICE',
  'SLICE',
  'RESHAPE',
  'SQUEEZE',
  'EXPAND_DIMS',
  'TRANSPOSE',
  'UNPACK',
  'SPLIT',
]);

/** The tensor that a rearranged one was at first. */
export function rootOf(network: Network, tensor: number): number {
  let at = tensor;
  for (let n = 0; n < 64; n++) {
    const maker = network.maker(at);
    if (!maker || !rearranging.has(maker.name)) return at;
    at = maker.inputs[maker.name === 'SPLIT' ? 1 : 0]!;
  }
  return at;
}

/**
 * Replaces operators that together are the steps of a recurrent layer by one operation per layer, named "cell", with
 * inputs x₀ … xₙ₋₁ and the states, and outputs h₀ … hₙ₋₁ and the last states.
 */
export function foldCells(graph: Subgraph, operations: readonly Operation[]): Operation[] {
  const network = new Network(graph, operations);
  const rank = (candidate: number, units: number, c: number): number => {
    const width = graph.tensors[candidate]?.shape.at(-1);
    if (width !== units) return -1;
    const root = rootOf(network, candidate);
    const cRoot = rootOf(network, c);
    if (root === cRoot) return 4;
    const maker = network.maker(candidate);
    const cMaker = network.maker(c);
    // h is made beside c: o⊙tanh(c) of the very c that is passed on.
    if (maker?.name === 'MUL' && cMaker && maker.inputs.some((input) => network.maker(input)?.inputs[0] === c))
      return 5;
    if (graph.inputs.includes(root) && graph.inputs.includes(cRoot)) return 2;
    return maker?.name === 'FILL' || network.isConstant(candidate) ? 3 : 0;
  };
  const steps: Step[] = [];
  for (const operation of operations) {
    const step = lstmAt(network, operation, rank) ?? gruAt(network, operation, rank) ?? rnnAt(network, operation);
    if (step) steps.push(step);
  }
  const outputs = new Set(graph.outputs);
  const chains = chained(network, steps).filter((chain) => isClosed(network, outputs, chain));
  if (chains.length === 0) return [...operations];
  const gone = new Set(chains.flatMap(({ steps: list }) => list.flatMap(({ used }) => used)));
  return [...operations.filter((operation) => !gone.has(operation)), ...chains.map(asOperation)];
}

/** Steps of one layer, each the next of the one whose state it takes. */
function chained(network: Network, steps: readonly Step[]): Chain[] {
  const next = new Map<string, Step>();
  const stateOf = (step: Step) => `${step.kind} ${step.key} ${Object.values(step.states)}`;
  for (const step of steps) next.set(stateOf(step), step);
  const later = new Set<Step>();
  const after = (step: Step) => {
    const wanted = `${step.kind} ${step.key} ${Object.keys(step.states).map((name) => step.results[name])}`;
    return next.get(wanted);
  };
  for (const step of steps) {
    const following = after(step);
    if (following && following !== step) later.add(following);
  }
  return steps
    .filter((step) => !later.has(step))
    .map((first) => {
      const list = new Set([first]);
      for (let step = after(first); step && !list.has(step); step = after(step)) list.add(step);
      const initial = Object.keys(first.states);
      const zero = firstStepOf(network, first);
      return zero ? { steps: [zero, ...list], initial: [] } : { steps: [...list], initial };
    })
    .filter(({ steps: list }) => list[0]!.kind !== 'rnn' || list.length > 1);
}

/** Whether nothing outside uses what the cell computes on its way. */
function isClosed(network: Network, outputs: ReadonlySet<number>, { steps }: Chain): boolean {
  const own = new Set(steps.flatMap(({ used }) => used));
  const shown = new Set([...steps.map(({ results }) => results.h!), ...Object.values(steps.at(-1)!.results)]);
  const hidden = [...own].flatMap(({ outputs }) => outputs).filter((tensor) => !shown.has(tensor));
  return hidden.every((tensor) => !outputs.has(tensor) && network.usersOf(tensor).every((user) => own.has(user)));
}

function asOperation(chain: Chain): Operation {
  const { steps, initial } = chain;
  const [first, last] = [steps[0]!, steps.at(-1)!];
  const extra = Object.keys(last.states)
    .filter((name) => name !== 'h')
    .map((name) => last.results[name]!);
  return {
    name: 'cell',
    inputs: [...steps.map(({ x }) => x), ...initial.map((name) => first.states[name]!)],
    outputs: [...steps.map(({ results }) => results.h!), ...extra],
    options: {},
    place: first.used[0]!.place,
    cell: chain,
  };
}

/** In an order in which every tensor is made before it is used; what cannot be ordered is left out. */
export function ordered(graph: Subgraph, operations: readonly Operation[]): Operation[] {
  const network = new Network(graph, operations);
  const waiting = new Map<Operation, number>();
  const ready: Operation[] = [];
  for (const operation of operations) {
    const open = new Set(operation.inputs.filter((tensor) => network.maker(tensor) !== undefined)).size;
    waiting.set(operation, open);
    if (open === 0) ready.push(operation);
  }
  const done: Operation[] = [];
  for (let i = 0; i < ready.length; i++) {
    const operation = ready[i]!;
    done.push(operation);
    for (const output of new Set(operation.outputs)) {
      for (const user of network.usersOf(output)) {
        const left = waiting.get(user)! - 1;
        waiting.set(user, left);
        if (left === 0) ready.push(user);
      }
    }
  }
  return done;
}
