import { isOne } from '../constant.ts';
import type { Operation } from '../lifted.ts';
import { orders, separate } from './lstm.ts';
import { type Network, type Sum, squashOf, sumOf, type Term, weightsKey } from './network.ts';
import type { Step } from './types.ts';

/** 1 − z, and nothing else. */
function isOneMinus(network: Network, tensor: number, z: number): Operation | undefined {
  const operation = network.made(tensor, 'SUB');
  if (!operation || operation.inputs[1] !== z) return undefined;
  const one = network.constant(operation.inputs[0]!);
  return isOne(one) ? operation : undefined;
}

/** h' = z⊙h + (1−z)⊙tanh(…), with the reset gate before or after the recurrent product. */
export function gruAt(
  network: Network,
  add: Operation,
  isState: (candidate: number, units: number, h: number) => number,
): Step | undefined {
  if (add.name !== 'ADD' || add.options.activation) return undefined;
  for (const [keep, write] of orders(add)) {
    const [kept, written] = [network.made(keep, 'MUL'), network.made(write, 'MUL')];
    if (!kept || !written) continue;
    for (const [zTensor, h] of orders(kept)) {
      for (const [rest, nTensor] of orders(written)) {
        const z = network.maker(zTensor);
        const n = network.maker(nTensor);
        const minus = isOneMinus(network, rest, zTensor);
        if (z?.name !== 'LOGISTIC' || !n || !squashOf(n) || !minus) continue;
        const used = [add, kept, written, z, n, minus];
        const step = candidate(network, { h, result: add.outputs[0]!, z, n, used }, isState);
        if (step) return step;
      }
    }
  }
  return undefined;
}

interface Half {
  readonly h: number;
  readonly result: number;
  readonly z: Operation;
  readonly n: Operation;
  readonly used: readonly Operation[];
}

function candidate(
  network: Network,
  { h, result, z, n, used }: Half,
  isState: (candidate: number, units: number, h: number) => number,
): Step | undefined {
  const inner = before(network, n, h) ?? after(network, n, h);
  if (!inner) return undefined;
  const sums = [z, inner.r].map((gate) => sumOf(network, gate.inputs[0]!));
  if (!sums.every((sum): sum is Sum => sum?.terms.length === 2)) return undefined;
  const units = network.graph.tensors[result]?.shape.at(-1) ?? 0;
  const parts = separate(sums, (input) => (input === h ? 9 : isState(input, units, h)));
  if (!parts || parts.h !== h || parts.x !== inner.x.input) return undefined;
  return {
    kind: 'gru',
    key: `${inner.bR !== undefined};${[...sums, inner.sum].map(weightsKey).join(';')}`,
    x: parts.x,
    states: { h },
    results: { h: result },
    W: [...parts.W, inner.x],
    U: [...parts.U, inner.u],
    b: [...sums.map(({ biases }) => biases), inner.b],
    ...(inner.bR ? { bR: [[], [], inner.bR] } : {}),
    attributes: {
      activation: squashOf(n)!,
      recurrentActivation: ['sigmoid'],
      ...(inner.bR ? { resetAfter: true } : {}),
    },
    used: [...used, inner.r, ...inner.used, ...sums.flatMap((sum) => sum.used)],
  };
}

interface Inner {
  readonly r: Operation;
  readonly x: Term;
  readonly u: Term;
  readonly b: Sum['biases'];
  readonly bR?: Sum['biases'];
  readonly sum: Sum;
  readonly used: readonly Operation[];
}

/** Wn·x + bn + Un·(r⊙h). */
function before(network: Network, n: Operation, h: number): Inner | undefined {
  const sum = sumOf(network, n.inputs[0]!);
  if (sum?.terms.length !== 2) return undefined;
  for (const u of sum.terms) {
    const reset = network.made(u.input, 'MUL');
    if (!reset?.inputs.includes(h)) continue;
    const r = network.maker(reset.inputs[0] === h ? reset.inputs[1]! : reset.inputs[0]!);
    const x = sum.terms.find((term) => term !== u)!;
    if (r?.name === 'LOGISTIC') return { r, x, u, b: sum.biases, sum, used: [reset, ...sum.used] };
  }
  return undefined;
}

/** Wn·x + bn + r⊙(Un·h + bRn). */
function after(network: Network, n: Operation, h: number): Inner | undefined {
  const add = network.made(n.inputs[0]!, 'ADD');
  if (!add) return undefined;
  for (const [left, right] of orders(add)) {
    const reset = network.made(right, 'MUL');
    const outer = sumOf(network, left);
    const [x] = outer?.terms ?? [];
    if (!reset || !outer || !x || outer.terms.length !== 1) continue;
    for (const [rTensor, product] of orders(reset)) {
      const r = network.maker(rTensor);
      const inner = sumOf(network, product);
      const [u] = inner?.terms ?? [];
      if (r?.name !== 'LOGISTIC' || !inner || !u || inner.terms.length !== 1 || u.input !== h) continue;
      const sum: Sum = { terms: [x, u], biases: [...outer.biases, ...inner.biases], used: [] };
      return { r, x, u, b: outer.biases, bR: inner.biases, sum, used: [add, reset, ...outer.used, ...inner.used] };
    }
  }
  return undefined;
}

/** h' = tanh(W·x + b + U·h), told from two dense layers by the step before or a zero state. */
export function rnnAt(network: Network, squash: Operation): Step | undefined {
  const result = squash.outputs[0]!;
  const activation = squashOf(squash);
  const sum = activation ? sumOf(network, squash.inputs[0]!) : undefined;
  if (!activation || sum?.terms.length !== 2) return undefined;
  const key = weightsKey(sum);
  const units = network.graph.tensors[result]?.shape.at(-1) ?? 0;
  const parts = separate([sum], (input) => {
    const maker = network.maker(input);
    if (network.graph.tensors[input]?.shape.at(-1) !== units) return -1;
    if (maker?.name !== squash.name) return maker?.name === 'FILL' || network.isConstant(input) ? 3 : 0;
    const previous = sumOf(network, maker.inputs[0]!);
    return previous && weightsKey(previous) === key ? 5 : 1;
  });
  return (
    parts && {
      kind: 'rnn',
      key,
      x: parts.x,
      states: { h: parts.h },
      results: { h: result },
      W: parts.W,
      U: parts.U,
      b: [sum.biases],
      attributes: { activation },
      used: [squash, ...sum.used],
    }
  );
}
