import { fail } from '@gatefold/runtime';
import type { GraphBuilder } from '../../graph-builder.ts';
import type { Message } from '../proto/schema.ts';
import type { Constant } from './tensor.ts';

interface Product {
  readonly tensor: string;
  readonly value: string;
  readonly index: number;
}

/** What is shared while one graph is read. */
export class Reading {
  readonly builder: GraphBuilder;
  readonly opset: number;
  /**
   * Whether one call of the file's graph is one step of ours: its states go from call to call, so the batch's rows get a
   * time dimension that the file does not show.
   */
  readonly lifted: boolean;
  readonly tensors: ReadonlyMap<Message<'Tensor'>, Constant>;
  /** How many nodes and outputs of the file use a tensor. */
  readonly uses: ReadonlyMap<string, number>;
  /** Rows made of views, by value and view. */
  readonly rows = new Map<string, string>();
  /** Stand-ins of cell states, by the state after the last step. */
  readonly cells = new Map<string, string>();
  /** Products that have no bias yet, by the file's tensor. */
  readonly products = new Map<string, Product>();
  private folded = 0;
  private readonly weightNames = new Map<Constant['data'], Map<string, string>>();
  private readonly taken = new Set<string>();

  constructor(
    builder: GraphBuilder,
    opset: number,
    lifted: boolean,
    tensors: Reading['tensors'],
    uses: Reading['uses'],
  ) {
    this.builder = builder;
    this.opset = opset;
    this.lifted = lifted;
    this.tensors = tensors;
    this.uses = uses;
  }

  /** Remembers the last node as a product whose bias may follow in a node of its own. */
  noteProduct(tensor: string, value: string): void {
    const index = this.builder.nodes.length - 1;
    const op = this.builder.nodes[index]?.op;
    if (tensor !== '' && (op === 'dense' || op === 'conv1d')) this.products.set(tensor, { tensor, value, index });
  }

  /** A product that a node hands on unchanged, where nothing else reads it, may still get its bias. */
  passProduct(inputs: readonly string[], output: string, value: string): void {
    const product = this.products.get(inputs[0] ?? '');
    if (product?.value === value && this.uses.get(product.tensor) === 1 && !this.products.has(output)) {
      this.products.set(output, { ...product, tensor: output });
    }
  }

  /** Gives a product its bias; false where it has one. */
  addBias({ index }: Product, bias: string): boolean {
    const node = this.builder.nodes[index]!;
    if (node.weights.bias !== undefined) return false;
    this.builder.nodes[index] = { ...node, weights: { ...node.weights, bias } };
    return true;
  }

  /** Counts elements of folded constants. @throws FILE_TOO_LARGE */
  countFolded(elements: number, most: number, place: string): void {
    this.folded += elements;
    if (this.folded > most) fail('FILE_TOO_LARGE', 'constants are folded into too many others', { place });
  }

  /** The name of the weight that a constant becomes in a role; the same for the same data and `key`. */
  weightName(source: Constant, name: string, key: string): string {
    const names = this.weightNames.get(source.data) ?? new Map<string, string>();
    this.weightNames.set(source.data, names);
    let found = names.get(key);
    if (found === undefined) {
      found = name;
      for (let n = 1; this.taken.has(found); n++) found = `${name}@${n}`;
      this.taken.add(found);
      names.set(key, found);
    }
    return found;
  }
}
