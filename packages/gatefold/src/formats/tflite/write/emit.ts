import {
  type Analysis,
  fail,
  hasTime,
  type Model,
  type Node,
  OpContext,
  staticLength,
  type Weight,
} from '@gatefold/runtime';
import type { ActivationRanges, Interval } from '../../../compress/index.ts';
import type { TfliteBuilder, WrittenTensor } from './file.ts';
import type { Form } from './form.ts';
import { constantTensor, quantizeHint, type Rows, rowsOf } from './weights.ts';

/** Writes nodes as operators: the tensors of values, and shapes as TensorFlow Lite shows them. */
export class Emitter {
  readonly builder: TfliteBuilder;
  readonly model: Model;
  /** Whether the file takes one step a call, with what has no form of its own as state in and out. */
  readonly stepwise: boolean;
  /** State tensors of a stepwise file. */
  readonly states: { readonly name: string; readonly input: number; readonly output: number }[] = [];
  /** Ranges of what the model computes, where activations shall become integers. */
  readonly ranges: ActivationRanges | undefined;
  readonly form: Form;
  private readonly analysis: Analysis;
  private readonly tensors = new Map<string, number>();
  private readonly constants = new Map<string, number>();

  constructor(
    builder: TfliteBuilder,
    model: Model,
    analysis: Analysis,
    {
      stepwise,
      form,
      ranges,
    }: { readonly stepwise: boolean; readonly form: Form; readonly ranges?: ActivationRanges | undefined },
  ) {
    this.builder = builder;
    this.form = form;
    this.ranges = ranges;
    this.model = model;
    this.analysis = analysis;
    this.stepwise = stepwise;
  }

  /** A node as its op sees it. */
  context(node: Node): OpContext {
    return new OpContext(node, this.model, this.analysis.values, [...this.analysis.times]);
  }

  refuse(node: Node, message: string, hint?: string): never {
    fail('MODEL_UNSUPPORTED', `${node.op} node "${node.name}": TensorFlow Lite files cannot hold it: ${message}`, {
      place: node.name,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** Shape of a value, batch first; an open number of steps is 1 and −1 in the signature. */
  shapeOf(value: string): { shape: number[]; signature?: number[] } {
    const { time, shape } = this.analysis.values.get(value)!;
    const { times } = this.analysis;
    if (!hasTime(times[time]!)) return { shape: [1, ...shape] };
    const steps = this.stepwise ? 1 : staticLength(times, time);
    if (steps !== undefined) return { shape: [1, steps, ...shape] };
    return { shape: [1, 1, ...shape], signature: [1, -1, ...shape] };
  }

  isSequence(value: string): boolean {
    return hasTime(this.analysis.times[this.analysis.values.get(value)!.time]!);
  }

  /** Steps of a value; undefined where they are open. */
  steps(value: string): number | undefined {
    return this.stepwise ? 1 : staticLength(this.analysis.times, this.analysis.values.get(value)!.time);
  }

  width(value: string): number {
    return this.analysis.values.get(value)!.shape.at(-1) ?? 1;
  }

  /** A new tensor for a value, given its name. */
  define(value: string, type: 'FLOAT32' | 'INT32' = 'FLOAT32'): number {
    const tensor = this.builder.tensor({ name: value, type, ...this.shapeOf(value), ...this.rangeOf(value) });
    this.tensors.set(value, tensor);
    return tensor;
  }

  /** The range of a value as its tensor holds it. */
  rangeOf(value: string): { readonly range?: Interval } {
    const range = this.ranges?.values.get(value);
    return range ? { range } : {};
  }

  /** The tensor of a value that is shown by another. */
  alias(value: string, tensor: number): void {
    this.tensors.set(value, tensor);
  }

  tensorOf(value: string): number {
    return this.tensors.get(value)!;
  }

  input(node: Node, name: string): number {
    const value = node.inputs[name];
    return value === undefined ? -1 : this.tensorOf(value);
  }

  /** A tensor of a shape between others. */
  between(
    node: Node,
    suffix: string,
    shape: readonly number[],
    signature?: readonly number[],
    more: Pick<WrittenTensor, 'range' | 'wide'> = {},
  ): number {
    return this.builder.tensor({
      name: `${node.name}/${suffix}`,
      shape,
      type: 'FLOAT32',
      ...(signature ? { signature } : {}),
      ...more,
    });
  }

  weight(node: Node, role: string): Weight | undefined {
    const name = node.weights[role];
    return name === undefined ? undefined : this.model.weights[name];
  }

  rows(node: Node, role: string, from?: number, to?: number): Rows {
    return rowsOf(this.weight(node, role)!, node.weights[role]!, from, to);
  }

  /** A weight as a constant tensor, made once for all that share it. */
  constant(node: Node, role: string, shape: readonly number[], perRow: boolean): number {
    const name = node.weights[role]!;
    return this.once(`${name} ${shape}`, () =>
      constantTensor(this.builder, name, shape, this.rows(node, role), perRow),
    );
  }

  /** A vector as float32, whatever its encoding; zeros where it is absent. */
  vector(node: Node, role: string, length: number): number {
    if (node.weights[role] === undefined) {
      return this.builder.floats(`${node.name}/${role}`, [length], new Float32Array(length));
    }
    return this.constant(node, role, [length], false);
  }

  scalar(node: Node, value: number): number {
    return this.once(`${node.name}/${value}`, (name) => this.builder.floats(name, [], Float32Array.of(value)));
  }

  /** A constant tensor, made once for all that share its key. */
  private once(key: string, make: (key: string) => number): number {
    const tensor = this.constants.get(key) ?? make(key);
    this.constants.set(key, tensor);
    return tensor;
  }

  /** Refuses weights of one node that TensorFlow Lite's kernel needs in one type. */
  sameType(node: Node, rows: readonly { readonly role: string; readonly kind: string }[]): void {
    const coded = rows.filter(({ kind }) => kind === 'INT8');
    if (coded.length === 0 || coded.length === rows.length) return;
    this.refuse(
      node,
      `some of its weights have codes and others none: ${rows.map(({ role, kind }) => `${role} ${kind}`).join(', ')}`,
      quantizeHint,
    );
  }

  attribute(node: Node, name: string): string {
    return JSON.stringify(node.attributes[name])?.slice(0, 80) ?? 'none';
  }
}
