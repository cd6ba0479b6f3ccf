import type { Operation } from '../lifted.ts';
import { type Network, type Sum, squashOf, sumOf, type Term, weightsKey } from './network.ts';
import type { Step } from './types.ts';

/** A state has few users: its cell, the next one and what is shown. */
const mostUsers = 8;

/** Both orders of a commutative operator's inputs. */
export function orders(operation: Operation): (readonly [number, number])[] {
  const [a = -1, b = -1] = operation.inputs;
  return [
    [a, b],
    [b, a],
  ];
}

/**
 * c' = f⊙c + i⊙g, h' = o⊙tanh(c'), each gate a sum of products. Which of two products is with the state is decided by
 * `isState`, as the equations do not tell.
 */
export function lstmAt(
  network: Network,
  add: Operation,
  isState: (candidate: number, units: number, c: number) => number,
): Step | undefined {
  const [sumTensor] = add.outputs;
  if (add.name !== 'ADD' || add.options.activation || sumTensor === undefined) return undefined;
  for (const [keep, write] of orders(add)) {
    const [kept, written] = [network.made(keep, 'MUL'), network.made(write, 'MUL')];
    if (!kept || !written) continue;
    for (const [fTensor, c] of orders(kept)) {
      for (const [iTensor, gTensor] of orders(written)) {
        const f = network.maker(fTensor);
        const i = network.maker(iTensor);
        const g = network.maker(gTensor);
        if (f?.name !== 'LOGISTIC' || i?.name !== 'LOGISTIC' || !g || !squashOf(g)) continue;
        const step = withOutput(network, { c, sum: sumTensor, f, i, g, used: [add, kept, written, f, i, g] }, isState);
        if (step) return step;
      }
    }
  }
  return undefined;
}

interface Half {
  readonly c: number;
  readonly sum: number;
  readonly f: Operation;
  readonly i: Operation;
  readonly g: Operation;
  readonly used: readonly Operation[];
}

function withOutput(
  network: Network,
  { c, sum, f, i, g, used }: Half,
  isState: (candidate: number, units: number, c: number) => number,
): Step | undefined {
  for (const squash of network.usersOf(sum).slice(0, mostUsers)) {
    if (squash.name !== g.name) continue;
    for (const out of network.usersOf(squash.outputs[0]!).slice(0, mostUsers)) {
      if (out.name !== 'MUL' || out.options.activation) continue;
      const other = out.inputs[0] === squash.outputs[0] ? out.inputs[1]! : out.inputs[0]!;
      const o = network.maker(other);
      if (o?.name !== 'LOGISTIC') continue;
      const sums = [i, f, o, g].map((gate) => sumOf(network, gate.inputs[0]!));
      if (!sums.every((gate): gate is Sum => gate?.terms.length === 2)) continue;
      const units = network.graph.tensors[sum]?.shape.at(-1) ?? 0;
      const parts = separate(sums, (input) => isState(input, units, c));
      if (!parts) continue;
      return {
        kind: 'lstm',
        key: sums.map(weightsKey).join(';'),
        x: parts.x,
        states: { h: parts.h, c },
        results: { h: out.outputs[0]!, c: sum },
        W: parts.W,
        U: parts.U,
        b: sums.map(({ biases }) => biases),
        attributes: { activation: squashOf(g)!, recurrentActivation: ['sigmoid'] },
        used: [...used, squash, out, o, ...sums.flatMap((gate) => gate.used)],
      };
    }
  }
  return undefined;
}

/** The products with x and those with h: every gate has one of each, of the same two tensors. */
export function separate(
  sums: readonly Sum[],
  rank: (input: number) => number,
): { x: number; h: number; W: Term[]; U: Term[] } | undefined {
  const [p, q] = sums[0]!.terms.map(({ input }) => input) as [number, number];
  const [x, h] = rank(p) > rank(q) ? [q, p] : [p, q];
  if (x === h) return undefined;
  const of = (input: number) => sums.map(({ terms }) => terms.find((term) => term.input === input));
  const [W, U] = [of(x), of(h)];
  const complete = (terms: (Term | undefined)[]): terms is Term[] => terms.every((term) => term !== undefined);
  return complete(W) && complete(U) ? { x, h, W, U } : undefined;
}
