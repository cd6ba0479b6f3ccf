import type { Activation } from '@gatefold/runtime';
import { type Constant, constantOf, realsOf } from '../constant.ts';
import type { Operation } from '../lifted.ts';
import type { Subgraph, Tensor } from '../parse.ts';
import type { Block } from '../weights.ts';

/** Operations by the tensors they make and use, for recognising what several operators compute together. */
export class Network {
  readonly graph: Subgraph;
  readonly operations: readonly Operation[];
  private readonly makers = new Map<number, Operation>();
  private readonly constants = new Map<number, Constant>();
  private readonly readers = new Map<number, Operation[]>();

  constructor(graph: Subgraph, operations: readonly Operation[]) {
    this.graph = graph;
    this.operations = operations;
    for (const operation of operations) {
      for (const output of operation.outputs) this.makers.set(output, operation);
      for (const input of new Set(operation.inputs)) {
        const list = this.readers.get(input);
        if (list) list.push(operation);
        else this.readers.set(input, [operation]);
      }
    }
  }

  /** What makes a tensor: undefined for inputs and constants. */
  maker(tensor: number): Operation | undefined {
    return this.makers.get(tensor);
  }

  /** The maker, if it is of that name and applies no activation of its own. */
  made(tensor: number, name: string): Operation | undefined {
    const operation = this.makers.get(tensor);
    return operation?.name === name && !operation.options.activation ? operation : undefined;
  }

  /** What makes an operation's inputs. */
  usedBy({ inputs }: Operation): Operation[] {
    return inputs.flatMap((input) => this.makers.get(input) ?? []);
  }

  usersOf(tensor: number): readonly Operation[] {
    return this.readers.get(tensor) ?? [];
  }

  isConstant(tensor: number): boolean {
    return this.stored(tensor) !== undefined;
  }

  /** A stored tensor, through the DEQUANTIZE that float16 weights pass. */
  private stored(tensor: number): Tensor | undefined {
    const { tensors } = this.graph;
    if (tensors[tensor]?.data) return tensors[tensor];
    const widened = this.makers.get(tensor);
    const source = widened?.name === 'DEQUANTIZE' ? tensors[widened.inputs[0]!] : undefined;
    return source?.data ? source : undefined;
  }

  constant(tensor: number): Constant | undefined {
    const stored = this.stored(tensor);
    if (!stored) return undefined;
    let constant = this.constants.get(stored.index);
    if (!constant) {
      constant = constantOf(stored);
      this.constants.set(stored.index, constant);
    }
    return constant;
  }
}

const squashes: Readonly<Record<string, Activation>> = {
  TANH: ['tanh'],
  RELU: ['relu'],
  RELU6: ['relu', 0, 6],
  ELU: ['elu'],
};

/** The function of an operator that can be a cell's activation. */
export function squashOf(operation: Operation | undefined): Activation | undefined {
  return operation && Object.hasOwn(squashes, operation.name) ? squashes[operation.name] : undefined;
}

/** Rows `rows` of a product of a stored matrix (columns `columns`) and a tensor. */
export interface Term {
  readonly input: number;
  readonly matrix: number;
  readonly rows?: readonly [number, number];
  readonly columns?: readonly [number, number];
}

/** A sum of products and constant vectors, with the operations that compute it. */
export interface Sum {
  readonly terms: readonly Term[];
  readonly biases: readonly { readonly tensor: number; readonly rows?: readonly [number, number] }[];
  readonly used: readonly Operation[];
}

const mostDepth = 6;

/** Reads a tensor as a sum of products; undefined where it is something else. */
export function sumOf(network: Network, tensor: number, rows?: readonly [number, number], depth = 0): Sum | undefined {
  if (depth > mostDepth) return undefined;
  const slice = rows === undefined ? {} : { rows };
  if (network.isConstant(tensor)) return { terms: [], biases: [{ tensor, ...slice }], used: [] };
  const add = network.made(tensor, 'ADD');
  if (add) {
    const [a, b] = add.inputs.map((input) => sumOf(network, input, rows, depth + 1));
    return (
      a &&
      b && { terms: [...a.terms, ...b.terms], biases: [...a.biases, ...b.biases], used: [add, ...a.used, ...b.used] }
    );
  }
  const product = network.made(tensor, 'FULLY_CONNECTED');
  if (product) {
    const [input, matrix, bias = -1] = product.inputs;
    if (!network.isConstant(matrix!)) return undefined;
    const biases = bias === -1 ? [] : [{ tensor: bias, ...slice }];
    const joined = network.made(input!, 'CONCATENATION');
    const isParts = joined && joined.inputs.length === 2;
    if (!isParts) return { terms: [{ input: input!, matrix: matrix!, ...slice }], biases, used: [product] };
    let at = 0;
    const terms = joined.inputs.map((part): Term => {
      const width = network.graph.tensors[part]?.shape.at(-1) ?? 0;
      at += width;
      return { input: part, matrix: matrix!, ...slice, columns: [at - width, at] };
    });
    return { terms, biases, used: [product, joined] };
  }
  const split = network.made(tensor, 'SPLIT') ?? network.made(tensor, 'SPLIT_V');
  if (split && rows === undefined) {
    const sizes = split.outputs.map((output) => network.graph.tensors[output]?.shape.at(-1) ?? 0);
    const at = split.outputs.indexOf(tensor);
    const from = sizes.slice(0, at).reduce((sum, size) => sum + size, 0);
    const whole = split.inputs[split.name === 'SPLIT' ? 1 : 0]!;
    const inner = sumOf(network, whole, [from, from + sizes[at]!], depth + 1);
    return inner && { ...inner, used: [split, ...inner.used] };
  }
  return undefined;
}

/** Whether two sums use the same weights, whatever they multiply. */
export function weightsKey(sum: Sum): string {
  const terms = sum.terms.map(({ matrix, rows, columns }) => `${matrix}:${rows}:${columns}`);
  const biases = sum.biases.map(({ tensor, rows }) => `${tensor}:${rows}`);
  return `${terms.sort().join()}|${biases.sort().join()}`;
}

export function blockOf(network: Network, { matrix, rows, columns }: Term): Block {
  return { constant: network.constant(matrix)!, ...(rows ? { rows } : {}), ...(columns ? { columns } : {}) };
}

/** The constant vectors of a sum added up, `units` long; undefined where there is none. */
export function biasOf(network: Network, biases: Sum['biases'], units: number): Float32Array | undefined {
  if (biases.length === 0) return undefined;
  const total = new Float32Array(units);
  for (const { tensor, rows } of biases) {
    const values = realsOf(network.constant(tensor)!);
    const from = values.length === 1 ? 0 : (rows?.[0] ?? 0);
    for (let i = 0; i < units; i++) total[i] = total[i]! + (values[values.length === 1 ? 0 : from + i] ?? Number.NaN);
  }
  return total;
}
