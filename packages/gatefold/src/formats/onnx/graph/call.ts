import { decode, type ErrorCode, fail, showValue, utf8Decode } from '@gatefold/runtime';
import type { Message } from '../proto/schema.ts';
import { codedWeight } from './coding.ts';
import type { Reading } from './reading.ts';
import { type Constant, isUnknown, numbersOf, showTensor, type Tensor, type Value } from './tensor.ts';

type Attribute = Message<'Attribute'>;

/** Numbers of AttributeProto's types. */
const types = { f: 1, i: 2, s: 3, t: 4, g: 5, floats: 6, ints: 7, strings: 8 } as const;

/** One node of the file with the tensors it is given: the one place for checks that name it. */
export class Call {
  readonly reading: Reading;
  readonly node: Message<'Node'>;
  readonly op: string;
  /** The node's name, or its first output's where it has none. */
  readonly name: string;
  readonly inputs: readonly (Tensor | undefined)[];
  private readonly attributes: ReadonlyMap<string, Attribute>;

  constructor(reading: Reading, node: Message<'Node'>, inputs: readonly (Tensor | undefined)[]) {
    this.reading = reading;
    this.node = node;
    this.op = node.opType ?? '';
    this.name = (node.name || node.output.find((output) => output !== '') || this.op).slice(0, 200);
    this.inputs = inputs;
    this.attributes = new Map(node.attribute.map((attribute) => [attribute.name ?? '', attribute]));
  }

  refuse(message: string, detail: { found?: string; expected?: string; hint?: string } = {}): never {
    return this.fail('MODEL_UNSUPPORTED', message, detail);
  }

  fail(code: ErrorCode, message: string, detail: { found?: string; expected?: string; hint?: string } = {}): never {
    fail(code, `${this.op.slice(0, 60)} node "${this.name}": ${message}`, { place: this.name, ...detail });
  }

  /** Refuses attributes other than these. */
  only(known: readonly string[]): void {
    for (const name of this.attributes.keys()) {
      if (!known.includes(name))
        this.refuse(`unknown attribute ${showValue(name)}`, { expected: known.join(', ') || 'none' });
    }
  }

  private attribute<K extends keyof typeof types>(name: string, key: K): Attribute | undefined {
    const found = this.attributes.get(name);
    if (!found) return undefined;
    if (found.refAttrName || (found.type !== undefined && found.type !== types[key])) {
      this.fail('FILE_CORRUPT', `attribute "${name}" is of another type`, { found: `type ${found.type}` });
    }
    return found;
  }

  has(name: string): boolean {
    return this.attributes.has(name);
  }

  int(name: string, otherwise: number): number {
    const found = this.attribute(name, 'i');
    return found ? (found.i ?? 0) : otherwise;
  }

  float(name: string, otherwise: number): number {
    const found = this.attribute(name, 'f');
    return found ? (found.f ?? 0) : otherwise;
  }

  text(name: string, otherwise: string): string {
    const found = this.attribute(name, 's');
    return found ? this.decode(found.s ?? new Uint8Array(), name) : otherwise;
  }

  ints(name: string): readonly number[] | undefined {
    return this.attribute(name, 'ints')?.ints;
  }

  floats(name: string): readonly number[] | undefined {
    return this.attribute(name, 'floats')?.floats;
  }

  texts(name: string): readonly string[] | undefined {
    return this.attribute(name, 'strings')?.strings.map((bytes) => this.decode(bytes, name));
  }

  constantAttribute(name: string): Constant | undefined {
    const tensor = this.attribute(name, 't')?.t;
    return tensor && this.reading.tensors.get(tensor);
  }

  graph(name: string): Message<'Graph'> {
    return this.attribute(name, 'g')?.g ?? this.fail('FILE_CORRUPT', `attribute "${name}" is missing`);
  }

  private decode(bytes: Uint8Array, name: string): string {
    return utf8Decode(bytes) ?? this.fail('FILE_CORRUPT', `attribute "${name}" is no text`);
  }

  input(i: number): Tensor {
    return this.inputs[i] ?? this.fail('FILE_CORRUPT', `input ${i} is missing`);
  }

  value(i: number): Value {
    const tensor = this.input(i);
    return tensor.kind === 'value' ? tensor : this.refuse(`input ${i} is a constant`, { found: showTensor(tensor) });
  }

  /** An input that must be known while reading. */
  constant(i: number, what: string): Constant {
    return this.asConstant(this.input(i), what);
  }

  asConstant(tensor: Tensor, what: string): Constant {
    if (tensor.kind === 'constant' && !tensor.open) return tensor;
    return this.refuse(`its ${what} must be constant`, {
      found: showTensor(tensor),
      hint: `if it is an input of the model, fix it: --fix name=value`,
    });
  }

  numbers(tensor: Tensor, what: string): ArrayLike<number> {
    const found = this.asConstant(tensor, what);
    return (
      numbersOf(found) ??
      this.refuse(`its ${what} depends on a length that the file leaves open`, {
        found: Array.from(found.data as ArrayLike<number | { symbol: string }>, (x) =>
          typeof x === 'object' ? x.symbol : x,
        ).join(', '),
        hint: 'fix it: --fix name=number',
      })
    );
  }

  /** Whole numbers from an attribute (earlier opsets) or from an input (later ones). */
  list(attribute: string, input: number): readonly number[] | undefined {
    const own = this.ints(attribute);
    if (own) return own;
    const tensor = this.inputs[input];
    return tensor && Array.from(this.numbers(tensor, attribute));
  }

  /** An axis, negative ones counted from the end. */
  axis(axis: number, rank: number): number {
    const at = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(at) || at < 0 || at >= rank) {
      this.fail('MODEL_SHAPE', 'an axis does not exist', { expected: `−${rank} … ${rank - 1}`, found: String(axis) });
    }
    return at;
  }

  /** Adds a Gatefold node named after this one; returns the name of its output. */
  add(
    op: string,
    inputs: Readonly<Record<string, string>>,
    attributes: Parameters<Reading['builder']['add']>[3] = {},
    weights: Readonly<Record<string, string>> = {},
    suffix = '',
  ): string {
    return this.reading.builder.add(op, `${this.name}${suffix}`, inputs, attributes, weights).y!;
  }

  /** A weight made of a constant; the same constant made the same way (by `key`) is one weight. */
  weight(source: Constant, role: string, key: string, shape: readonly number[], make: () => Float32Array): string {
    const name = this.reading.weightName(source, `${this.name}/${role}`, `${role} [${shape}] ${key}`);
    return this.reading.builder.weight(name, () => ({ shape, data: make() }));
  }
}

/**
 * A matrix made of a constant by putting its elements in another order; it stays coded as the file has it.
 */
export function matrixWeight(
  call: Call,
  source: Constant,
  role: string,
  key: string,
  shape: readonly number[],
  arrange: (elements: Float32Array) => Float32Array,
): string {
  const { weights } = call.reading.builder;
  const known = Object.keys(weights).length;
  const name = call.weight(source, role, key, shape, () => arrange(floatsOf(call, source, role)));
  if (source.coding && Object.keys(weights).length > known) {
    weights[name] = codedWeight(source.coding, shape, decode(weights[name]!), arrange) ?? weights[name]!;
  }
  return name;
}

/** The numbers of a constant that must be free of unknowns. */
export function floatsOf(call: Call, tensor: Constant, what: string): Float32Array {
  const { data } = tensor;
  if (data instanceof Float32Array) return data;
  if (Array.isArray(data) && data.some(isUnknown))
    call.refuse(`its ${what} depends on a length that the file leaves open`);
  return Float32Array.from(data as ArrayLike<number>);
}
