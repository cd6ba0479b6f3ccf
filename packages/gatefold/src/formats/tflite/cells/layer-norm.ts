import type { Operation } from '../lifted.ts';
import type { Subgraph } from '../parse.ts';
import { Network } from './network.ts';

/** (x − mean)⊙rsqrt(mean((x − mean)²) + ε): replaced by one operation "layer norm". */
export function foldLayerNorms(graph: Subgraph, operations: readonly Operation[]): Operation[] {
  const network = new Network(graph, operations);
  const gone = new Set<Operation>();
  const made: Operation[] = [];
  for (const operation of operations) {
    const found = operation.name === 'MUL' && !operation.options.activation ? normAt(network, operation) : undefined;
    if (!found) continue;
    const own = new Set(found.used);
    const closed = found.used.every(
      (part) =>
        part === operation ||
        part.outputs.every(
          (output) => !graph.outputs.includes(output) && network.usersOf(output).every((user) => own.has(user)),
        ),
    );
    if (!closed) continue;
    for (const part of found.used) gone.add(part);
    made.push({
      name: 'layer norm',
      inputs: [found.x],
      outputs: operation.outputs,
      options: { epsilon: found.epsilon },
      place: operation.place,
    });
  }
  return [...operations.filter((operation) => !gone.has(operation)), ...made];
}

function normAt(network: Network, product: Operation) {
  const [a = -1, b = -1] = product.inputs;
  for (const [left, right] of [
    [a, b],
    [b, a],
  ] as const) {
    const centred = network.made(left, 'SUB');
    const root = network.made(right, 'RSQRT');
    const sum = root && network.made(root.inputs[0]!, 'ADD');
    if (!centred || !sum) continue;
    const [x = -1, meanTensor = -1] = centred.inputs;
    const mean = featureMean(network, meanTensor, x);
    const epsilons = sum.inputs.map((input) => network.constant(input));
    const at = epsilons.findIndex((constant) => constant?.data.length === 1);
    if (!mean || at < 0) continue;
    const squares = network.maker(sum.inputs[1 - at]!)?.inputs[0] ?? -1;
    const variance = featureMean(network, sum.inputs[1 - at]!, squares);
    const difference = network.made(squares, 'SQUARED_DIFFERENCE');
    if (!variance || !difference?.inputs.includes(x) || !difference.inputs.includes(meanTensor)) continue;
    const used = [product, centred, root, sum, mean, variance, difference];
    return { x, epsilon: epsilons[at]!.data[0]!, used };
  }
  return undefined;
}

/** The MEAN over the last dimension of `x`, kept as a dimension. */
function featureMean(network: Network, tensor: number, x: number): Operation | undefined {
  const mean = network.made(tensor, 'MEAN');
  const rank = network.graph.tensors[x]?.shape.length ?? 0;
  const axes = mean && network.constant(mean.inputs[1]!);
  const last = axes?.data.length === 1 && (axes.data[0] === -1 || axes.data[0] === rank - 1);
  return mean?.inputs[0] === x && last && mean.options.keepDims === true ? mean : undefined;
}
