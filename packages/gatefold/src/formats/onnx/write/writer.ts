import {
  type Analysis,
  fail,
  hasTime,
  type Model,
  type Node,
  partsOf,
  sizeOf,
  type ValueType,
  type Weight,
} from '@gatefold/runtime';
import type { Draft } from '../proto/schema.ts';

/** Element types of ONNX that files of ours hold. */
export const elementTypes = {
  float: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  half: 10,
  uint16: 4,
  int4: 22,
} as const;
export type ElementName = keyof typeof elementTypes;

export type Attributes = Readonly<
  Record<
    string,
    | number
    | string
    | readonly number[]
    | readonly string[]
    | { float: number }
    | { floats: readonly number[] }
    | { graph: Draft<'Graph'> }
  >
>;

function attributeDraft(name: string, value: Attributes[string]): Draft<'Attribute'> {
  const text = (word: string) => new TextEncoder().encode(word);
  if (typeof value === 'number') return { name, i: value, type: 2 };
  if (typeof value === 'string') return { name, s: text(value), type: 3 };
  if ('graph' in value) return { name, g: value.graph, type: 5 };
  if ('float' in value) return { name, f: value.float, type: 1 };
  if ('floats' in value) return { name, floats: value.floats, type: 6 };
  if (typeof value[0] === 'string') return { name, strings: (value as readonly string[]).map(text), type: 8 };
  return { name, ints: value as readonly number[], type: 7 };
}

/** Collects the nodes and tensors of the file. Values keep Gatefold's order, [batch, time, features]. */
export class Writer {
  readonly model: Model;
  readonly analysis: Analysis;
  readonly nodes: Draft<'Node'>[] = [];
  readonly tensors: Draft<'Tensor'>[] = [];
  /** That of the file which is written into; of a new one 17, or 21 where weights of 4 or more than 8 bits need it. */
  readonly opset: number;
  /** Operator sets beside the standard's that nodes are of, each in version 1. */
  readonly domains = new Set<string>();
  private readonly names: Set<string>;
  private readonly values = new Map<string, string>();
  private readonly swapped = new Map<string, string>();
  private readonly once = new Map<string, string>();

  /** `host` is the file that is written into, and the names that it has. */
  constructor(model: Model, analysis: Analysis, host?: { readonly opset: number; readonly names: Set<string> }) {
    this.model = model;
    this.analysis = analysis;
    this.names = host?.names ?? new Set();
    this.opset = host?.opset ?? (Object.values(model.weights).some(needsOpset21) ? 21 : 17);
  }

  /** A name that nothing has yet. */
  unique(wanted: string): string {
    let name = wanted;
    for (let n = 1; this.names.has(name); n++) name = `${wanted}:${n}`;
    this.names.add(name);
    return name;
  }

  /** Says that a value of the model is this tensor of the file. */
  bind(value: string, tensor: string): void {
    this.values.set(value, tensor);
  }

  tensorOf(value: string): string {
    return this.values.get(value) ?? fail('MODEL_INVALID', 'a value is used before it is made', { place: value });
  }

  /** A value that also stands as [time, batch, features]. */
  setTimeFirst(value: string, tensor: string): void {
    this.swapped.set(value, tensor);
  }

  timeFirst(value: string): string | undefined {
    return this.swapped.get(value);
  }

  /** An input of a node of the model. */
  input(node: Node, role: string): string {
    return this.tensorOf(node.inputs[role]!);
  }

  /** An input of the file, to read the batch off. */
  firstInput(): string {
    return this.tensorOf(Object.values(this.model.graphs)[0]!.inputs[0]!.name);
  }

  type(value: string): ValueType {
    return this.analysis.values.get(value)!;
  }

  timed(value: string): boolean {
    return hasTime(this.analysis.times[this.type(value).time]!);
  }

  /** Features of a value, as one number. */
  width(value: string): number {
    return sizeOf(this.type(value).shape);
  }

  /** Adds a node; returns the name of its output, which is called `name` where that is free. */
  add(opType: string, name: string, input: readonly string[], attributes: Attributes = {}): string {
    return this.addMany(opType, name, input, [name], attributes)[0]!;
  }

  /** Adds a node of several outputs; '' leaves one out. */
  addMany(
    opType: string,
    name: string,
    input: readonly string[],
    outputs: readonly string[],
    attributes: Attributes = {},
    domain?: string,
  ): string[] {
    const output = outputs.map((wanted) => (wanted === '' ? '' : this.unique(wanted)));
    const attribute = Object.entries(attributes).map(([key, value]) => attributeDraft(key, value));
    this.nodes.push({
      ...{ input, output, name: this.unique(`${name}/${opType}`), opType, attribute },
      ...(domain === undefined ? {} : { domain }),
    });
    if (domain !== undefined) this.domains.add(domain);
    return output;
  }

  /** A reduction over one axis: its axes are an attribute up to opset 17, then an input. */
  reduce(
    opType: 'ReduceMean' | 'ReduceMax' | 'ReduceSum',
    name: string,
    x: string,
    axis: number,
    keep: boolean,
  ): string {
    const keepdims = keep ? 1 : 0;
    if (opType === 'ReduceSum' || this.opset >= 18) return this.add(opType, name, [x, this.ints([axis])], { keepdims });
    return this.add(opType, name, [x], { axes: [axis], keepdims });
  }

  /** Adds a tensor; equal keys share one. */
  tensor(key: string, type: ElementName, dims: readonly number[], raw: () => Uint8Array): string {
    const known = this.once.get(key);
    if (known !== undefined) return known;
    const name = this.unique(key);
    this.tensors.push({ dims, dataType: elementTypes[type], name, rawData: raw() });
    this.once.set(key, name);
    return name;
  }

  /** What `make` adds, once for each key. */
  shared(key: string, make: () => string): string {
    const known = this.once.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.once.set(key, made);
    return made;
  }

  floats(key: string, dims: readonly number[], values: ArrayLike<number>): string {
    return this.tensor(key, 'float', dims, () => floatBytes(values));
  }

  /** A number, shared by all that need it. */
  number(value: number): string {
    return this.floats(`number ${Math.fround(value)}`, [], [value]);
  }

  /** Whole numbers of 64 bits, shared by all that need them. */
  ints(values: readonly number[]): string {
    return this.tensor(`ints [${values}]`, 'int64', [values.length], () => intBytes(values));
  }

  /** One whole number without a dimension. */
  int(value: number): string {
    return this.tensor(`int ${value}`, 'int64', [], () => intBytes([value]));
  }

  refuse(node: Node, message: string, hint?: string): never {
    fail('MODEL_UNSUPPORTED', `${node.op} node "${node.name}": ONNX ${message}`, {
      place: node.name,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

function needsOpset21({ encoding, shape }: Weight): boolean {
  return partsOf(encoding, shape[0]!).some(
    ({ encoding: part }) => part.kind === 'affine' && (part.bits <= 4 || part.bits > 8),
  );
}

export function floatBytes(values: ArrayLike<number>): Uint8Array {
  const out = new DataView(new ArrayBuffer(values.length * 4));
  for (let i = 0; i < values.length; i++) out.setFloat32(i * 4, values[i]!, true);
  return new Uint8Array(out.buffer);
}

function intBytes(values: readonly number[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach((value, i) => {
    out.setUint32(i * 8, value >>> 0, true);
    out.setInt32(i * 8 + 4, Math.floor(value / 4_294_967_296), true);
  });
  return new Uint8Array(out.buffer);
}
