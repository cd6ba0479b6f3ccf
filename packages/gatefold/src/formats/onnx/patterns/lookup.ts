import type { Message } from '../proto/schema.ts';

export type Node = Message<'Node'>;
export type Graph = Message<'Graph'>;

/** A graph of the file seen from its tensors, for recognising what was taken apart when it was exported. */
export class Lookup {
  readonly graph: Graph;
  readonly constants: ReadonlySet<string>;
  private readonly makers: ReadonlyMap<string, Node>;
  private readonly inputs: ReadonlySet<string>;

  constructor(graph: Graph, constants: ReadonlySet<string>) {
    this.graph = graph;
    this.constants = constants;
    this.makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node])));
    this.inputs = new Set(graph.input.map(({ name }) => name ?? ''));
  }

  /** The node that makes a tensor, where it is of the op. */
  maker(name: string | undefined, op: string): Node | undefined {
    const node = this.makers.get(name ?? '');
    return node?.opType === op ? node : undefined;
  }

  /** The two inputs of a node of an op, in both orders. */
  pairs(name: string | undefined, op: string): [string, string][] {
    const node = this.maker(name, op);
    const [a, b] = node?.input ?? [];
    return a && b && node!.input.length === 2
      ? [[a, b], ...(op === 'Sub' || op === 'Div' ? [] : [[b, a] as [string, string]])]
      : [];
  }

  /** The graph's input that a tensor is cut out of by layout ops alone. */
  source(name: string): string | undefined {
    let at = name;
    for (let i = 0; i < 64; i++) {
      if (this.inputs.has(at)) return at;
      const node = this.makers.get(at);
      if (
        !node ||
        !['Slice', 'Squeeze', 'Unsqueeze', 'Transpose', 'Reshape', 'Gather', 'Split', 'Identity'].includes(
          node.opType ?? '',
        )
      )
        return undefined;
      at = node.input[0] ?? '';
    }
    return undefined;
  }
}

/** A node of the file, as if it had stood there. */
export function makeNode(
  opType: string,
  name: string,
  input: readonly string[],
  output: readonly string[],
  attributes: readonly Partial<Message<'Attribute'>>[],
): Node {
  return {
    input,
    output,
    name,
    opType,
    domain: undefined,
    overload: undefined,
    docString: undefined,
    metadataProps: undefined,
    deviceConfigurations: undefined,
    attribute: attributes.map((attribute) => ({ ...noAttribute, ...attribute })),
  };
}

const noAttribute: Message<'Attribute'> = {
  name: undefined,
  f: undefined,
  i: undefined,
  s: undefined,
  t: undefined,
  g: undefined,
  floats: [],
  ints: [],
  strings: [],
  tensors: [],
  graphs: [],
  docString: undefined,
  tp: undefined,
  typeProtos: [],
  type: undefined,
  refAttrName: undefined,
  sparseTensor: undefined,
  sparseTensors: [],
};

/** A tensor of the file without data of its own. */
export function makeTensor(name: string): Message<'Tensor'> {
  return {
    dims: [],
    dataType: undefined,
    segment: undefined,
    floatData: [],
    int32Data: [],
    stringData: [],
    int64Data: [],
    name,
    rawData: undefined,
    doubleData: [],
    uint64Data: [],
    docString: undefined,
    externalData: [],
    dataLocation: undefined,
    metadataProps: undefined,
  };
}

/** The nodes that the graph's outputs need, branches of Ifs included. */
export function neededNodes(nodes: readonly Node[], outputs: readonly string[]): Node[] {
  const needed = new Set(outputs);
  const addInner = (graph: Graph): void => {
    for (const node of graph.node) {
      for (const name of node.input) needed.add(name);
      for (const { g } of node.attribute) if (g) addInner(g);
    }
    for (const { name } of graph.output) needed.add(name ?? '');
  };
  const kept = [...nodes].reverse().filter((node) => {
    if (!node.output.some((name) => needed.has(name))) return false;
    for (const name of node.input) needed.add(name);
    for (const { g } of node.attribute) if (g) addInner(g);
    return true;
  });
  return kept.reverse();
}
