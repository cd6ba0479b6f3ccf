import { fail } from '@gatefold/runtime';
import { foldConstants } from '../ops/fold.ts';
import { handlers } from '../ops/index.ts';
import type { Message } from '../proto/schema.ts';
import { Call } from './call.ts';
import type { Reading } from './reading.ts';
import { numbersOf, type Tensor } from './tensor.ts';

/** Tensors by name; a branch sees those around it. */
export class Scope {
  private readonly own = new Map<string, Tensor>();
  private readonly outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.outer = outer;
  }

  set(name: string, tensor: Tensor): void {
    this.own.set(name, tensor);
  }

  get(name: string): Tensor | undefined {
    return this.own.get(name) ?? this.outer?.get(name);
  }
}

/** Adds what the nodes of a graph of the file compute. @throws MODEL_*, FILE_CORRUPT with the node's name */
export function runGraph(reading: Reading, graph: Message<'Graph'>, scope: Scope): void {
  for (const tensor of graph.initializer) {
    const name = tensor.name ?? '';
    scope.set(name, { ...reading.tensors.get(tensor)!, origin: name });
  }
  for (const node of graph.node) runNode(reading, node, scope);
}

function runNode(reading: Reading, node: Message<'Node'>, scope: Scope): void {
  const place = (node.name || node.output[0] || '').slice(0, 200);
  if (node.domain && node.domain !== 'ai.onnx') {
    fail('MODEL_UNSUPPORTED', `op "${node.domain}.${node.opType}" is not of the standard's own`, { place });
  }
  const inputs = node.input.map((name) =>
    name === ''
      ? undefined
      : (scope.get(name) ??
        fail('FILE_CORRUPT', `a node reads "${name.slice(0, 120)}", which nothing before it makes`, { place })),
  );
  const call = new Call(reading, node, inputs);
  const outputs = node.opType === 'If' ? branch(call, scope) : evaluate(call);
  const [first] = outputs;
  if (first?.kind === 'value') reading.passProduct(node.input, node.output[0] ?? '', first.name);
  node.output.forEach((name, i) => {
    const tensor = outputs[i];
    if (name !== '' && tensor) scope.set(name, tensor);
  });
}

const integers = [
  'rounds what goes from one operator to the next to integers, which no float32 model imitates',
  { hint: 'read the float model that this one was made from' },
] as const;
const loop = [
  'a loop; of those, only steps of a GRU in integers, as Gatefold writes them, are known for what they are',
  { hint: 'export the recurrent layer as LSTM, GRU or RNN' },
] as const;

/** Why ops have no meaning that one might expect to have one. */
const reasons: Readonly<Record<string, Parameters<Call['refuse']>>> = {
  QuantizeLinear: [...integers],
  QLinearConv: [...integers],
  QLinearMatMul: [...integers],
  Scan: [...loop],
  Loop: [...loop],
};

function evaluate(call: Call): readonly (Tensor | undefined)[] {
  const handler = handlers.get(call.op);
  const folded = foldConstants(call);
  if (folded) return folded;
  if (!handler) return call.refuse(...(reasons[call.op] ?? ['its op has no meaning here']));
  call.only(handler.attributes);
  return handler.run(call);
}

/** The branch of an If whose condition is known. */
function branch(call: Call, scope: Scope): readonly (Tensor | undefined)[] {
  call.only(['then_branch', 'else_branch']);
  const condition = call.constant(0, 'condition');
  const known = numbersOf(condition);
  if (known?.length !== 1) {
    const [element] = Array.from(condition.data as ArrayLike<number | { symbol: string }>);
    return call.refuse('chooses by what is not known before the model runs', {
      found: typeof element === 'object' ? element.symbol : 'no single truth',
      hint: 'fix the input or the length that it depends on: --fix name=number',
    });
  }
  const graph = call.graph(known[0] === 0 ? 'else_branch' : 'then_branch');
  const inner = new Scope(scope);
  runGraph(call.reading, graph, inner);
  return graph.output.map(({ name }) => inner.get(name ?? ''));
}
