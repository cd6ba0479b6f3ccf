import type { Message } from '../proto/schema.ts';

/** A graph of the file within those around it. */
export interface Frame {
  readonly graph: Message<'Graph'>;
  readonly outer: Frame | undefined;
  /** Branches and bodies, by the places of their node and attribute. */
  readonly inner: ReadonlyMap<number, ReadonlyMap<number, Frame>>;
  readonly constants: ReadonlyMap<string, Held>;
  /** Names of values that are computed, or come in. */
  readonly computed: ReadonlySet<string>;
}

/** A constant tensor, where it stands, and who uses it. */
export interface Held {
  readonly name: string;
  readonly tensor: Message<'Tensor'>;
  readonly frame: Frame;
  /** Place among the graph's initializers, or of a Constant node among its nodes. */
  readonly kind: 'initializer' | 'node';
  readonly index: number;
  readonly users: User[];
  /** The constant that this one is the transpose of, by a node of the graph. */
  readonly of?: Held;
}

/** Input `slot` of a node; without a node, an output of the graph. */
export interface User {
  readonly node?: Message<'Node'>;
  readonly slot: number;
}

interface Mutable {
  readonly graph: Message<'Graph'>;
  readonly outer: Frame | undefined;
  readonly inner: Map<number, Map<number, Frame>>;
  readonly constants: Map<string, Held>;
  readonly computed: Set<string>;
}

/** Up to version 3 of the format an initializer must be an input too; after that, one that is may be given anew by the caller. */
export function initializersAreInputs(irVersion: number): boolean {
  return irVersion <= 3;
}

/**
 * The graphs of a file, outermost first, with the users of every constant. What the caller may give anew is none.
 */
export function framesOf(graph: Message<'Graph'>, irVersion: number): Frame[] {
  const frames = collect(graph, undefined, irVersion);
  for (const frame of frames) countUsers(frame);
  return frames;
}

function collect(graph: Message<'Graph'>, outer: Frame | undefined, irVersion: number): Frame[] {
  const frame: Mutable = { graph, outer, inner: new Map(), constants: new Map(), computed: new Set() };
  const out: Frame[] = [frame];
  const given = new Set(initializersAreInputs(irVersion) ? [] : graph.input.map(({ name }) => name));
  const hold = (
    name: string | undefined,
    tensor: Message<'Tensor'>,
    kind: Held['kind'],
    index: number,
    of?: { readonly of: Held },
  ) => {
    if (name && !given.has(name)) frame.constants.set(name, { name, tensor, frame, kind, index, users: [], ...of });
  };
  graph.initializer.forEach((tensor, i) => {
    hold(tensor.name, tensor, 'initializer', i);
  });
  for (const { name } of graph.input) if (name && !frame.constants.has(name)) frame.computed.add(name);
  graph.node.forEach((node, i) => {
    const value = node.attribute.length === 1 ? node.attribute[0]!.t : undefined;
    const turned = turnedBy(node, frame);
    if (node.opType === 'Constant' && isStandard(node) && value) hold(node.output[0], value, 'node', i);
    else if (turned) hold(node.output[0], turned.tensor, 'node', i, { of: turned });
    else for (const name of node.output) frame.computed.add(name);
    node.attribute.forEach(({ g }, k) => {
      if (!g) return;
      const [own, ...deeper] = collect(g, frame, irVersion);
      const known = frame.inner.get(i) ?? new Map<number, Frame>();
      frame.inner.set(i, known.set(k, own!));
      out.push(own!, ...deeper);
    });
  });
  return out;
}

/** The matrix that a node transposes: exporters write linear layers so. */
function turnedBy(node: Message<'Node'>, frame: Frame): Held | undefined {
  if (node.opType !== 'Transpose' || !isStandard(node)) return undefined;
  const held = constantAt(frame, node.input[0] ?? '');
  const perm = node.attribute.find(({ name }) => name === 'perm')?.ints ?? [1, 0];
  return held && !held.of && held.tensor.dims.length === 2 && perm.join() === '1,0' ? held : undefined;
}

function countUsers(frame: Frame): void {
  for (const node of frame.graph.node) {
    node.input.forEach((name, slot) => {
      constantAt(frame, name)?.users.push({ node, slot });
    });
  }
  frame.graph.output.forEach(({ name }, slot) => {
    constantAt(frame, name ?? '')?.users.push({ slot });
  });
}

/** What a name means in a graph, where it is a constant of it or of those around it. */
export function constantAt(frame: Frame, name: string): Held | undefined {
  for (let at: Frame | undefined = frame; at; at = at.outer) {
    const found = at.constants.get(name);
    if (found || at.computed.has(name)) return found;
  }
  return undefined;
}

/** Whether a node is of the standard's operators. */
export function isStandard({ domain }: Message<'Node'>): boolean {
  return !domain || domain === 'ai.onnx';
}
