import { isOne, isZero } from '../constant.ts';
import type { Operation } from '../lifted.ts';
import { orders } from './lstm.ts';
import { biasOf, type Network, type Sum, squashOf, sumOf } from './network.ts';
import type { Step } from './types.ts';

/** What was recognised on the way, and the one input of all gates. */
interface Found {
  readonly x: number;
  readonly used: readonly Operation[];
}

/**
 * The first step of an unrolled layer, from the zero state: converters leave out its products with zero, so that it has
 * another form than the steps after it. `next` is the step that takes its state; the weights must be the same.
 */
export function firstStepOf(network: Network, next: Step): Step | undefined {
  const recognise = { lstm: firstLstm, gru: firstGru, rnn: firstRnn }[next.kind];
  const found = recognise(network, next);
  return found && { ...next, x: found.x, states: {}, results: next.states, used: found.used };
}

/** A squashed sum of gate `k`'s product with x and its bias, and nothing else. */
function gateAt(
  network: Network,
  tensor: number,
  next: Step,
  k: number,
  squash: string | undefined,
): Found | undefined {
  const operation = network.maker(tensor);
  const right = squash === undefined ? operation?.name === 'LOGISTIC' : operation?.name === squash;
  const sum = right ? sumOf(network, operation!.inputs[0]!) : undefined;
  const found = sum && productAt(network, sum, next, k);
  return found && { x: found.x, used: [operation!, ...found.used] };
}

function productAt(network: Network, sum: Sum, next: Step, k: number): Found | undefined {
  const [term, ...more] = sum.terms;
  const wanted = next.W[k]!;
  const key = ({ matrix, rows, columns }: typeof wanted) => `${matrix}:${rows}:${columns}`;
  if (!term || more.length > 0 || key(term) !== key(wanted)) return undefined;
  const units = network.graph.tensors[next.results.h!]?.shape.at(-1) ?? 0;
  const zeros = new Float32Array(units);
  const [own, its] = [sum.biases, next.b[k]!].map((biases) => biasOf(network, biases, units) ?? zeros);
  return own!.every((value, i) => value === its![i]) ? { x: term.input, used: sum.used } : undefined;
}

/** A product with a constant zero. */
function zeroProduct(network: Network, tensor: number): Operation | undefined {
  const product = network.made(tensor, 'MUL');
  const isNothing = product?.inputs.some((input) => {
    const constant = network.constant(input);
    return constant !== undefined && isZero(constant);
  });
  return isNothing ? product : undefined;
}

/** The tensor without what is added to it as a product with zero. */
function withoutZero(network: Network, tensor: number): { tensor: number; used: Operation[] } {
  const add = network.made(tensor, 'ADD');
  for (const [a, b] of add ? orders(add) : []) {
    const nothing = zeroProduct(network, a);
    if (nothing) return { tensor: b, used: [add!, nothing, ...network.usedBy(nothing)] };
  }
  return { tensor, used: [] };
}

/** All parts with one x. */
function together(parts: readonly (Found | undefined)[], used: readonly Operation[]): Found | undefined {
  const [first] = parts;
  if (!first || !parts.every((part): part is Found => part?.x === first.x)) return undefined;
  return { x: first.x, used: [...used, ...parts.flatMap((part) => part.used)] };
}

/** c = i⊙g, h = o⊙tanh(c). */
function firstLstm(network: Network, next: Step): Found | undefined {
  const { h = -1, c = -1 } = next.states;
  const { tensor, used } = withoutZero(network, c);
  const written = network.made(tensor, 'MUL');
  const out = network.made(h, 'MUL');
  const name = network
    .maker(next.results.h!)
    ?.inputs.map((input) => network.maker(input))
    .find(squashOf)?.name;
  if (!written || !out || name === undefined) return undefined;
  for (const [i, g] of orders(written)) {
    for (const [o, squashed] of orders(out)) {
      const squash = network.made(squashed, name);
      if (squash?.inputs[0] !== c) continue;
      const forget = used.length === 0 ? [] : used.filter(({ name: own }) => own === 'LOGISTIC');
      const gates = [
        gateAt(network, i, next, 0, undefined),
        gateAt(network, o, next, 2, undefined),
        gateAt(network, g, next, 3, name),
      ];
      const kept = forget.map(({ outputs }) => gateAt(network, outputs[0]!, next, 1, undefined));
      const found = together([...gates, ...kept], [written, out, squash, ...used]);
      if (found) return found;
    }
  }
  return undefined;
}

/** h = (1−z)⊙n; the reset gate multiplies a constant. */
function firstGru(network: Network, next: Step): Found | undefined {
  const { tensor, used } = withoutZero(network, next.states.h!);
  const written = network.made(tensor, 'MUL');
  for (const [rest, candidate] of written ? orders(written) : []) {
    const minus = network.made(rest, 'SUB');
    const squash = network.maker(candidate);
    const one = minus && network.constant(minus.inputs[0]!);
    if (!minus || !isOne(one) || !squash || !squashOf(squash)) continue;
    const z = gateAt(network, minus.inputs[1]!, next, 0, undefined);
    const add = network.made(squash.inputs[0]!, 'ADD');
    for (const [left, right] of add ? orders(add) : []) {
      const sum = sumOf(network, left);
      const n = sum && productAt(network, sum, next, 2);
      const r = n && resetAt(network, right, next);
      const found = z && n && r && together([z, n, r], [written!, minus, squash, add!, ...used]);
      if (found) return found;
    }
  }
  return undefined;
}

/** r⊙bRn (reset after), or Un·(r⊙0) (reset before). */
function resetAt(network: Network, tensor: number, next: Step): Found | undefined {
  const units = network.graph.tensors[next.results.h!]?.shape.at(-1) ?? 0;
  const product = network.made(tensor, 'FULLY_CONNECTED');
  const inner =
    product?.inputs[1] === next.U[2]!.matrix && (product.inputs[2] ?? -1) === -1 ? product.inputs[0]! : tensor;
  const reset = network.made(inner, 'MUL');
  for (const [r, constant] of reset ? orders(reset) : []) {
    const values = network.constant(constant);
    const gate = gateAt(network, r, next, 1, undefined);
    if (!values || !gate) continue;
    const wanted = next.bR ? biasOf(network, next.bR[2]!, units) : undefined;
    const own = biasOf(network, [{ tensor: constant }], units)!;
    if (!own.every((value, i) => value === (wanted?.[i] ?? 0))) continue;
    return { x: gate.x, used: [reset!, ...(inner === tensor ? [] : [product!]), ...gate.used] };
  }
  return undefined;
}

/** h = tanh(W·x + b). */
function firstRnn(network: Network, next: Step): Found | undefined {
  const name = network.maker(next.results.h!)?.name;
  return gateAt(network, next.states.h!, next, 0, name);
}
