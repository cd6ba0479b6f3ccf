import { type Activation, fail, sizeOf, type Weight } from '@gatefold/runtime';
import { activationAttribute, type GraphBuilder } from '../graph-builder.ts';
import { Network } from './cells/network.ts';
import type { Constant, NumberArray } from './constant.ts';
import type { BoundState, Lifted, Operation } from './lifted.ts';
import { open, type Subgraph, type TensorType } from './parse.ts';
import { fusedActivations } from './schema.ts';
import { type Block, sizeOfBlocks, stack } from './weights.ts';

/** Lifts the operators of one subgraph into nodes of a graph, tensor by tensor. */
export class Lift {
  readonly builder: GraphBuilder;
  readonly graph: Subgraph;
  private readonly lifted = new Map<number, Lifted>();
  /** States of recurrent nodes that come from outside. */
  readonly bound: BoundState[] = [];
  private readonly stateNames = new Set<string>();
  private budget: number;
  private made: Network | undefined;

  constructor(builder: GraphBuilder, graph: Subgraph, bytes: number) {
    this.builder = builder;
    this.graph = graph;
    this.budget = 16 * bytes + (1 << 22);
  }

  /** Counts elements that are made, which shared buffers and folds may multiply. @throws FILE_TOO_LARGE */
  charge(count: number, place: string): void {
    this.budget -= count;
    if (!(this.budget >= 0)) fail('FILE_TOO_LARGE', 'the tensors grow beyond what the file holds', { place });
  }

  /** The file's operators by their tensors. */
  get network(): Network {
    this.made ??= new Network(this.graph, this.graph.operators);
    return this.made;
  }

  /** An input whose elements are states of cells. */
  addState(name: string): void {
    this.stateNames.add(name);
  }

  isState(name: string): boolean {
    return this.stateNames.has(name);
  }

  /** A recurrent node starts from elements of one state input. */
  bindState(state: BoundState, operation: Operation): void {
    const { sources, source } = state.pieces;
    if (source.some((i) => sources[i] !== sources[source[0]!]))
      this.refuse(operation, 'its initial state is put together of several inputs');
    this.bound.push({
      ...state,
      pieces: { ...state.pieces, sources: [sources[source[0]!]!], source: source.map(() => 0) },
    });
  }

  set(tensor: number, lifted: Lifted): void {
    this.lifted.set(tensor, lifted);
  }

  get(tensor: number, place: string): Lifted {
    return (
      this.lifted.get(tensor) ??
      fail('FILE_CORRUPT', 'a tensor is used that no operator makes', { place, found: this.nameOf(tensor) })
    );
  }

  /** An optional input: undefined where it is absent. */
  optional(operation: Operation, i: number): Lifted | undefined {
    const tensor = operation.inputs[i] ?? -1;
    return tensor === -1 ? undefined : this.get(tensor, operation.place);
  }

  input(operation: Operation, i: number): Lifted {
    return this.optional(operation, i) ?? this.refuse(operation, `input ${i} is missing`);
  }

  constant(operation: Operation, i: number): Constant {
    const lifted = this.input(operation, i);
    if (lifted.kind !== 'constant') this.refuse(operation, `input ${i} must be known in advance`);
    return lifted;
  }

  optionalConstant(operation: Operation, i: number): Constant | undefined {
    return (operation.inputs[i] ?? -1) === -1 ? undefined : this.constant(operation, i);
  }

  nameOf(tensor: number): string {
    return this.graph.tensors[tensor]?.name || `tensor ${tensor}`;
  }

  /** Name for the node that makes the operation's first output. */
  nodeName(operation: Operation): string {
    const name = this.nameOf(operation.outputs[0]!);
    return name.length > 120 ? `…${name.slice(-119)}` : name;
  }

  refuse(operation: Operation, message: string, hint?: string): never {
    fail('MODEL_UNSUPPORTED', `${operation.name} "${this.nodeName(operation)}": ${message}`, {
      place: operation.place,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** Stacks blocks into the weight of that name; returns the name. */
  weight(name: string, blocks: readonly Block[], vector = false): string {
    return this.addWeight(name, () => {
      this.charge(sizeOfBlocks(blocks), name);
      return stack(blocks, name, vector);
    });
  }

  /** A weight by its name; made once. */
  addWeight(name: string, make: () => Weight): string {
    if (!Object.hasOwn(this.builder.weights, name)) this.builder.weights[name] = make();
    return name;
  }

  /** A folded tensor. */
  fold(name: string, shape: readonly number[], data: NumberArray, type: TensorType): Constant {
    this.charge(data.length, name);
    return { kind: 'constant', name, shape, type, data };
  }

  node(
    operation: Operation,
    op: string,
    inputs: Readonly<Record<string, string>>,
    attributes: Parameters<GraphBuilder['add']>[3] = {},
    weights: Readonly<Record<string, string>> = {},
  ): string {
    return this.builder.add(op, this.nodeName(operation), inputs, attributes, weights).y!;
  }

  apply(operation: Operation, activation: Activation, x: string): string {
    if (activation[0] === 'linear') return x;
    return this.node(operation, 'unary', { x }, { function: activationAttribute(activation) });
  }

  /** The activation that the operator applies to its result. */
  fused(operation: Operation): Activation {
    const name = fusedActivations[Number(operation.options.activation ?? 0)];
    switch (name) {
      case 'NONE':
        return ['linear'];
      case 'RELU':
        return ['relu'];
      case 'RELU6':
        return ['relu', 0, 6];
      case 'RELU_N1_TO_1':
        return ['clip', -1, 1];
      case 'TANH':
        return ['tanh'];
      default:
        return this.refuse(operation, `fused activation ${operation.options.activation} has no meaning here`);
    }
  }
}

/** The dimensions of a shape that are not one. */
export function proper(shape: readonly number[]): number[] {
  return shape.flatMap((dim, i) => (dim === 1 ? [] : [i]));
}

/** An axis from the front. @throws MODEL_INVALID */
export function axisOf(axis: number, rank: number, place: string): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(positive) || positive < 0 || positive >= rank) {
    fail('MODEL_INVALID', 'an axis lies outside its tensor', { place, found: `${axis} of ${rank}` });
  }
  return positive;
}

/** Elements per batch element and step of a value. */
export function innerSize(lift: Lift, value: string): number {
  return sizeOf(lift.builder.type(value).shape);
}

/** Dimensions as people read them. */
export function showDims(shape: readonly number[]): string {
  return `[${shape.map((dim) => (dim === open ? 'open' : dim)).join(', ')}]`;
}
