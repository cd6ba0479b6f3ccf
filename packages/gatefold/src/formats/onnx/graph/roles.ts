import type { Message } from '../proto/schema.ts';

type Node = Message<'Node'>;
type Graph = Message<'Graph'>;
/** Which axis of which input an axis of a tensor is; null where it is another. */
type Token = string | null;

/** Numbers and ranks of small constants by name. */
export type SmallConstants = ReadonlyMap<string, { readonly numbers: readonly number[]; readonly rank: number }>;

export interface Roles {
  /** By `input#axis`. */
  readonly roles: ReadonlyMap<string, 'batch' | 'time'>;
  /** Inputs that reach a cell as its initial state, by nothing but layout ops. */
  readonly states: ReadonlySet<string>;
}

/** Branches may give a tensor in different ranks, and which is taken is not known yet: so many of them are followed. */
const mostVariants = 4;

const layoutOps = [
  'Slice',
  'Squeeze',
  'Unsqueeze',
  'Transpose',
  'Reshape',
  'Gather',
  'Split',
  'Identity',
  'Cast',
  'Flatten',
];
const keeping = ['Slice', 'Identity', 'Cast', 'Pad', 'Dropout', 'BatchNormalization', 'LayerNormalization', 'Softmax'];

/**
 * A walk ahead of reading that finds out which axes of the inputs are batch and time: those that arrive where a recurrent
 * op or a convolution has its batch and its time.
 */
class RoleWalk implements Roles {
  readonly roles = new Map<string, 'batch' | 'time'>();
  readonly states = new Set<string>();
  private readonly tokens = new Map<string, (readonly Token[])[]>();
  private readonly sources = new Map<string, string>();
  private readonly constants: SmallConstants;

  constructor(constants: SmallConstants) {
    this.constants = constants;
  }

  private whole(name: string): readonly number[] | undefined {
    return this.constants.get(name)?.numbers;
  }

  input(name: string, rank: number): void {
    this.remember(
      name,
      Array.from({ length: rank }, (_, axis) => `${name}#${axis}`),
    );
    this.sources.set(name, name);
  }

  graph({ node }: Graph): void {
    for (const each of node) this.visit(each);
  }

  private visit(node: Node): void {
    const [first = ''] = node.input;
    const output = node.output[0] ?? '';
    if (node.opType === 'If') {
      this.branches(node);
      return;
    }
    if (node.opType === 'LSTM' || node.opType === 'GRU' || node.opType === 'RNN') {
      this.recurrent(node);
      return;
    }
    if (layoutOps.includes(node.opType ?? '')) {
      const source = this.sources.get(first);
      if (source !== undefined) for (const name of node.output) this.sources.set(name, source);
    }
    const outputs = node.opType === 'Split' ? node.output : [output];
    for (const x of this.tokens.get(first) ?? [undefined]) {
      const made = this.follow(node, x);
      if (made) for (const name of outputs) this.remember(name, made);
    }
  }

  private remember(name: string, tokens: readonly Token[]): void {
    const known = this.tokens.get(name) ?? [];
    const isNew = known.every((other) => other.join() !== tokens.join() || other.length !== tokens.length);
    if (name !== '' && isNew && known.length < mostVariants) this.tokens.set(name, [...known, tokens]);
  }

  private branches(node: Node): void {
    for (const { g } of node.attribute) {
      if (!g) continue;
      this.graph(g);
      node.output.forEach((name, i) => {
        const inner = g.output[i]?.name ?? '';
        for (const tokens of this.tokens.get(inner) ?? []) this.remember(name, tokens);
        const source = this.sources.get(inner);
        if (source !== undefined) this.sources.set(name, source);
      });
    }
  }

  private recurrent(node: Node): void {
    const layout = node.attribute.find(({ name }) => name === 'layout')?.i ?? 0;
    // Of three axes each: other ranks come from branches that are not taken.
    const three = (name: string | undefined) => this.tokens.get(name ?? '')?.find(({ length }) => length === 3);
    const x = three(node.input[0]);
    const [t, b] = layout === 1 ? [1, 0] : [0, 1];
    const time = x?.[t] ?? null;
    const batch = x?.[b] ?? null;
    this.note(time, 'time');
    this.note(batch, 'batch');
    for (const input of node.input.slice(5, 7)) {
      const state = three(input);
      this.note(state?.[layout === 1 ? 0 : 1] ?? null, 'batch');
      const source = this.sources.get(input);
      if (source !== undefined) this.states.add(source);
    }
    const [y, ...states] = node.output;
    if (y) this.remember(y, layout === 1 ? [batch, time, null, null] : [time, null, batch, null]);
    for (const name of states) this.remember(name, layout === 1 ? [batch, null, null] : [null, batch, null]);
  }

  private note(token: Token, role: 'batch' | 'time'): void {
    if (token !== null && !this.roles.has(token)) this.roles.set(token, role);
  }

  private list(node: Node, attribute: string, input: number): readonly number[] | undefined {
    return node.attribute.find(({ name }) => name === attribute)?.ints ?? this.whole(node.input[input] ?? '');
  }

  /** Where the axes of the node's output come from; undefined where that is not followed. */
  private follow(node: Node, x: readonly Token[] | undefined): readonly Token[] | undefined {
    const given = node.input.map((name, i) => (i === 0 ? x : this.tokens.get(name)?.[0]));
    const rank = x?.length ?? 0;
    const at = (axis: number) => (axis < 0 ? axis + rank : axis);
    const number = (name: string, otherwise: number) => node.attribute.find((a) => a.name === name)?.i ?? otherwise;
    switch (node.opType) {
      case 'Transpose': {
        const perm = this.list(node, 'perm', -1) ?? x?.map((_, i) => rank - 1 - i);
        return x && perm?.map((axis) => x[axis] ?? null);
      }
      case 'Squeeze': {
        const axes = this.list(node, 'axes', 1)?.map(at);
        return axes && x?.filter((_, i) => !axes.includes(i));
      }
      case 'Unsqueeze': {
        const axes = this.list(node, 'axes', 1);
        if (!x || !axes || axes.length > 8) return undefined;
        const total = rank + axes.length;
        const added = axes.map((axis) => (axis < 0 ? axis + total : axis));
        let next = 0;
        return Array.from({ length: total }, (_, i) => (added.includes(i) ? null : (x[next++] ?? null)));
      }
      case 'Gather': {
        const axis = at(number('axis', 0));
        if (!x) return given[1] && [...given[1], null];
        const indices = this.whole(node.input[1] ?? '');
        if (!indices) return undefined;
        return this.constants.get(node.input[1]!)!.rank === 0
          ? x.filter((_, i) => i !== axis)
          : x.map((token, i) => (i === axis ? null : token));
      }
      case 'Reshape': {
        const shape = this.whole(node.input[1] ?? '');
        return (
          x && shape?.map((n, i) => (n === 0 || (n === -1 && i === 0 && shape.length === rank) ? (x[i] ?? null) : null))
        );
      }
      case 'Conv':
        this.note(x?.[2] ?? null, 'time');
        this.note(x?.[0] ?? null, 'batch');
        return x && [x[0] ?? null, null, x[2] ?? null];
      case 'MatMul':
      case 'Gemm':
        return x && x.length > 0 ? [...x.slice(0, -1), null] : undefined;
      case 'ReduceMean':
      case 'ReduceMax':
      case 'ReduceSum': {
        const axes = this.list(node, 'axes', 1)?.map(at);
        if (!x || !axes) return undefined;
        return number('keepdims', 1) === 0
          ? x.filter((_, i) => !axes.includes(i))
          : x.map((token, i) => (axes.includes(i) ? null : token));
      }
      case 'Concat':
      case 'Split': {
        const axis = at(number('axis', 0));
        return x?.map((token, i) => (i === axis && node.opType === 'Concat' ? null : token));
      }
      default: {
        if (keeping.includes(node.opType ?? '')) return x;
        // Element-wise: the tensor of the highest rank shows where its axes come from.
        return given.reduce((best, one) => (one && one.length > (best?.length ?? -1) ? one : best), undefined);
      }
    }
  }
}

export function inferRoles(graph: Graph, inputs: ReadonlyMap<string, number>, constants: SmallConstants): Roles {
  const walk = new RoleWalk(constants);
  for (const [name, rank] of inputs) walk.input(name, rank);
  walk.graph(graph);
  return walk;
}
