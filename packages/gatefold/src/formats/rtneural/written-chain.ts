import { fail, type Graph, graphOf, type Model, type Node, parseActivation } from '@gatefold/runtime';

/** A model as RTNeural and AIDA-X see it. */
export interface Chain {
  /** From the input to the output. */
  readonly nodes: readonly Node[];
  readonly width: number;
  /** AIDA-X: y = (f(g·x) + g·x)·h. */
  readonly skip: boolean;
  readonly before: number;
  readonly after: number;
}

/** The factor of a node that multiplies by one; undefined for others. */
function gainOf(node: Node | undefined): number | undefined {
  const f = node?.op === 'unary' ? parseActivation(node.attributes.function) : undefined;
  if (f?.[0] !== 'affine' || f[2] !== 0 || !(f[1]! > 0)) return undefined;
  return f[1];
}

/**
 * The chain that a model is.
 * @throws MODEL_UNSUPPORTED where it branches
 */
export function chainOf(model: Model): Chain {
  const { graph } = graphOf(model);
  const [input] = graph.inputs;
  const [output] = graph.outputs;
  const width = input?.shape.length === 3 ? input.shape[2] : undefined;
  if (
    !input ||
    graph.inputs.length !== 1 ||
    graph.outputs.length !== 1 ||
    typeof width !== 'number' ||
    input.dtype !== 'float32'
  )
    fail('MODEL_UNSUPPORTED', 'RTNeural takes one sequence and gives one', { place: input?.name ?? 'inputs' });
  const producers = new Map(
    graph.nodes.flatMap((node) => Object.values(node.outputs).map((value) => [value, node] as const)),
  );
  const source = producers.get(output!.value);
  const out = gainOf(source);
  const added = skipOf(producers, out === undefined ? source : producers.get(source!.inputs.x!), input.name);
  const after = added && out !== undefined ? out : 1;
  const end = added ? added.y : output!.value;
  const start = added ? added.x : input.name;
  const nodes: Node[] = [];
  for (let value = end; value !== start; ) {
    const node = producers.get(value);
    if (!node || nodes.length > graph.nodes.length)
      return fail('MODEL_UNSUPPORTED', 'RTNeural runs one layer after the other', {
        place: nodes.at(-1)?.name ?? value,
      });
    nodes.push(node);
    value = onlyInput(node);
  }
  checkAll(graph, nodes, added?.nodes ?? 0, out !== undefined && added ? 1 : 0);
  return { nodes: nodes.reverse(), width, skip: added !== undefined, before: added?.gain ?? 1, after };
}

/** Every node of the graph must be on the chain, or what it computes would be lost. */
function checkAll(graph: Graph, nodes: readonly Node[], more: number, gains: number): void {
  if (graph.nodes.length === nodes.length + more + gains) return;
  const odd = graph.nodes.find((node) => !nodes.includes(node));
  fail('MODEL_UNSUPPORTED', 'RTNeural runs one layer after the other', { place: odd?.name ?? 'graph' });
}

/** The sum at the end of a model that adds its (scaled) input: where the chain starts and ends. */
function skipOf(
  producers: ReadonlyMap<string, Node>,
  sum: Node | undefined,
  input: string,
): { x: string; y: string; gain: number; nodes: number } | undefined {
  if (sum?.op !== 'binary' || sum.attributes.function !== 'add') return undefined;
  const { a, b } = sum.inputs as { a: string; b: string };
  for (const [side, y] of [
    [a, b],
    [b, a],
  ] as const) {
    const slice = producers.get(side);
    const isFirst = slice?.op === 'slice' && (slice.attributes.from ?? 0) === 0 && slice.attributes.to === 1;
    const x = isFirst ? slice.inputs.x! : side;
    const slices = isFirst ? 1 : 0;
    if (x === input) return { x, y, gain: 1, nodes: 1 + slices };
    const scaled = producers.get(x);
    const gain = gainOf(scaled);
    if (gain !== undefined && scaled!.inputs.x === input) return { x, y, gain, nodes: 2 + slices };
  }
  return undefined;
}

function onlyInput(node: Node): string {
  const names = Object.keys(node.inputs);
  if (names.length !== 1 || names[0] !== 'x') refuse(node, 'it has several inputs');
  return node.inputs.x!;
}

/** Refuses a node by name. */
export function refuse(node: Node, what: string): never {
  fail('MODEL_UNSUPPORTED', `${node.op} node "${node.name}" cannot be written for RTNeural: ${what}`, {
    place: node.name,
  });
}
