import { type Constant, numbersOf } from '../graph/tensor.ts';
import type { Message } from '../proto/schema.ts';
import { gruScanAt } from './gru-scan.ts';
import { IntegerProducts } from './integer.ts';
import { type Graph, Lookup, makeNode, makeTensor, type Node, neededNodes } from './lookup.ts';
import { gateMatrix, type LstmStep, lstmStepAt } from './lstm.ts';
import { normalizationAt } from './normalization.ts';

type Tensors = ReadonlyMap<Message<'Tensor'>, Constant>;

/**
 * The graph with what exporters took apart put together again: LSTM steps and layer normalizations made of primitive ops,
 * products in integers.
 * Their gates are then known, and the states go from step to step.
 */
export function recognise(graph: Graph, tensors: Tensors): { graph: Graph; tensors: Tensors } {
  const constants = new Map<string, Constant>();
  for (const tensor of graph.initializer) constants.set(tensor.name ?? '', tensors.get(tensor)!);
  for (const node of graph.node) {
    const tensor = node.opType === 'Constant' ? node.attribute[0]?.t : undefined;
    if (tensor) constants.set(node.output[0] ?? '', tensors.get(tensor)!);
  }
  const lookup = new Lookup(graph, new Set(constants.keys()));
  const before = new Map<string, Node[]>();
  const gone = new Set<string>();
  const replaced = new Map<Node, Node[]>();
  const added = new Map<Message<'Tensor'>, Constant>();
  const integers = new IntegerProducts(lookup, constants, added);
  for (const node of graph.node) {
    const step = node.opType === 'Mul' ? lstmStepAt(lookup, node) : undefined;
    const made = step && lstmNodes(step, constants, added);
    if (made) {
      before.set(step.newC, made);
      gone.add(step.newC).add(step.newH);
    }
    const product = node.opType === 'Scan' ? gruScanAt(integers, node, constants) : integers.at(node);
    if (product) replaced.set(node, product);
    const norm = node.opType === 'Div' ? normalizationAt(lookup, node) : undefined;
    const epsilon = norm && numbersOf(constants.get(norm.epsilon)!);
    if (norm && epsilon?.length === 1) {
      const attributes = [{ name: 'epsilon', type: 1, f: epsilon[0]! }];
      before.set(norm.y, [makeNode('LayerNormalization', node.name ?? '', [norm.x], [norm.y], attributes)]);
      gone.add(norm.y);
    }
  }
  if (before.size + replaced.size === 0) return { graph, tensors };
  const nodes = graph.node.flatMap((node) => {
    const output = node.output[0] ?? '';
    return replaced.get(node) ?? [...(before.get(output) ?? []), ...(gone.has(output) ? [] : [node])];
  });
  const outputs = graph.output.map(({ name }) => name ?? '');
  return {
    graph: { ...graph, node: neededNodes(nodes, outputs), initializer: [...graph.initializer, ...added.keys()] },
    tensors: new Map([...tensors, ...added]),
  };
}

/** An LSTM node in the place of the step; undefined where its weights do not fit. */
function lstmNodes(
  step: LstmStep,
  constants: ReadonlyMap<string, Constant>,
  added: Map<Message<'Tensor'>, Constant>,
): Node[] | undefined {
  const w = gateMatrix(constants.get(step.kernel)!, step.order);
  const r = gateMatrix(constants.get(step.recurrent)!, step.order);
  const given = step.bias === undefined ? undefined : constants.get(step.bias)!;
  const rows = r?.shape[1] ?? 0;
  if (
    !w ||
    !r ||
    w.shape[1] !== rows ||
    r.shape[2] !== rows / 4 ||
    (given && (given.data.length !== rows || given.shape.length !== 1))
  ) {
    return undefined;
  }
  const name = step.newH;
  const use = (role: string, constant: Constant) => {
    const tensor = makeTensor(`${name}/${role}`);
    added.set(tensor, constant);
    return tensor.name!;
  };
  const inputs = [`${name}/x`, use('W', w), use('R', r)];
  if (given) {
    const ordered = gateMatrix({ ...given, shape: [1, rows] }, step.order);
    if (!ordered) return undefined;
    const data = new Float32Array(2 * rows);
    data.set(ordered.data as Float32Array);
    inputs.push(use('B', { ...ordered, shape: [1, 2 * rows], data }));
  } else inputs.push('');
  const first = [{ name: 'axes', type: 7, ints: [0] }];
  const unsqueeze = (from: string, to: string) => makeNode('Unsqueeze', to, [from], [to], first);
  return [
    unsqueeze(step.x, `${name}/x`),
    unsqueeze(step.h, `${name}/h`),
    unsqueeze(step.c, `${name}/c`),
    makeNode('LSTM', name, [...inputs, '', `${name}/h`, `${name}/c`], ['', `${name}/Y_h`, `${name}/Y_c`], []),
    makeNode('Squeeze', `${name}/newH`, [`${name}/Y_h`], [step.newH], first),
    makeNode('Squeeze', `${name}/newC`, [`${name}/Y_c`], [step.newC], first),
  ];
}
