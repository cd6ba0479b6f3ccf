import { type ErrorCode, fail, showValue } from '../errors/index.ts';
import { type Activation, parseActivation } from '../numerics/activation.ts';
import { hasTime, staticLength, type TimeClass } from './time.ts';
import type { DataType, Model, Node } from './types.ts';

/** What a value is: rows by time class, then inner dimensions. The batch comes first and is not listed. */
export interface ValueType {
  /** Index into the analysis' time classes. */
  readonly time: number;
  readonly shape: readonly number[];
  readonly dtype: DataType;
}

/** Shape as people read it: `[batch, time, 28]`. */
export function showShape(times: readonly TimeClass[], { time, shape }: ValueType): string {
  const steps = hasTime(times[time]!) ? [staticLength(times, time) ?? 'time'] : [];
  return `[${['batch', ...steps, ...shape].join(', ')}]`;
}

/** Ids of the time classes of a list by their text, so that long graphs need no search. */
const timeIds = new WeakMap<TimeClass[], Map<string, number>>();

/** What an op sees while its shapes are inferred: the one place for checks that name the node. */
export class OpContext {
  readonly node: Node;
  readonly times: TimeClass[];
  /** Why the node needs the whole sequence, where it does. */
  wholeReason: string | undefined;
  /** Multiply-accumulates per output row. */
  macsPerRow = 0;
  private readonly model: Model;
  private readonly values: ReadonlyMap<string, ValueType>;

  constructor(node: Node, model: Model, values: ReadonlyMap<string, ValueType>, times: TimeClass[]) {
    this.node = node;
    this.model = model;
    this.values = values;
    this.times = times;
  }

  refuse(code: ErrorCode, message: string, detail: { expected?: string; found?: string; hint?: string } = {}): never {
    fail(code, `${this.node.op} node "${this.node.name}": ${message}`, { place: this.node.name, ...detail });
  }

  optional(name: string): ValueType | undefined {
    const value = this.node.inputs[name];
    if (value === undefined) return undefined;
    return (
      this.values.get(value) ??
      this.refuse('MODEL_INVALID', `input "${name}" refers to no earlier value`, { found: value })
    );
  }

  input(name: string): ValueType {
    return this.optional(name) ?? this.refuse('MODEL_INVALID', `input "${name}" is missing`);
  }

  /** Inputs named "0", "1", …, in order; at least `least`. */
  list(least: number): ValueType[] {
    const out: ValueType[] = [];
    while (this.node.inputs[out.length] !== undefined) out.push(this.input(String(out.length)));
    if (out.length < least)
      this.refuse('MODEL_INVALID', `needs at least ${least} inputs`, { found: String(out.length) });
    return out;
  }

  /** The inner width of a value of one inner dimension. */
  width(value: ValueType): number {
    if (value.shape.length !== 1) {
      this.refuse('MODEL_UNSUPPORTED', 'works on one feature dimension', { found: this.show(value) });
    }
    return value.shape[0]!;
  }

  show(value: ValueType): string {
    return showShape(this.times, value);
  }

  requireTime(value: ValueType): ValueType {
    if (!hasTime(this.times[value.time]!)) {
      this.refuse('MODEL_SHAPE', 'needs a sequence', { expected: '[batch, time, features]', found: this.show(value) });
    }
    return value;
  }

  /** Checks that the weight of the role exists and has the shape (−1: any length); returns its shape. */
  weight(role: string, shape: readonly number[]): readonly number[] {
    return this.optionalWeight(role, shape) ?? this.refuse('MODEL_INVALID', `weight "${role}" is missing`);
  }

  optionalWeight(role: string, shape: readonly number[]): readonly number[] | undefined {
    const name = this.node.weights[role];
    if (name === undefined) return undefined;
    const weight = Object.hasOwn(this.model.weights, name) ? this.model.weights[name] : undefined;
    if (!weight) this.refuse('MODEL_INVALID', `weight "${role}" refers to no weight`, { found: name });
    const fits = weight.shape.length === shape.length && shape.every((n, i) => n === -1 || n === weight.shape[i]);
    if (!fits) {
      fail('MODEL_SHAPE', `weight "${name}" does not fit`, {
        place: `${this.node.name}/${role}`,
        expected: `[${shape.map((n) => (n === -1 ? 'any' : n)).join(', ')}]`,
        found: `[${weight.shape.join(', ')}]`,
      });
    }
    return weight.shape;
  }

  whole(name: string, low: number, high: number, otherwise?: number): number {
    const value = this.node.attributes[name] ?? otherwise;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
      this.refuse('MODEL_INVALID', `attribute "${name}" is out of range`, {
        expected: `a whole number from ${low} to ${high}`,
        found: showValue(value),
      });
    }
    return value;
  }

  real(name: string, otherwise?: number): number {
    const value = this.node.attributes[name] ?? otherwise;
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      this.refuse('MODEL_INVALID', `attribute "${name}" must be a number`, {
        found: showValue(value),
      });
    }
    return value;
  }

  flag(name: string): boolean {
    const value = this.node.attributes[name] ?? false;
    if (typeof value !== 'boolean') {
      this.refuse('MODEL_INVALID', `attribute "${name}" must be true or false`, { found: showValue(value) });
    }
    return value;
  }

  word<T extends string>(name: string, words: readonly T[], otherwise?: T): T {
    const value = this.node.attributes[name] ?? otherwise;
    if (!words.includes(value as T)) {
      this.refuse('MODEL_INVALID', `attribute "${name}" is unknown`, {
        expected: words.join(' | '),
        found: showValue(value),
      });
    }
    return value as T;
  }

  wholes(name: string): number[] {
    const value = this.node.attributes[name];
    if (!Array.isArray(value) || !value.every((n) => Number.isInteger(n) && Math.abs(n as number) <= 1 << 24)) {
      this.refuse('MODEL_INVALID', `attribute "${name}" must be a list of whole numbers`, {
        found: showValue(value),
      });
    }
    return value as number[];
  }

  activation(name: string, otherwise?: Activation): Activation {
    const value = this.node.attributes[name] ?? otherwise;
    return (
      parseActivation(value) ??
      this.refuse('MODEL_INVALID', `attribute "${name}" is no known function`, {
        found: showValue(value),
      })
    );
  }

  /** Says that the node needs the whole sequence at once. */
  needsWhole(reason: string): void {
    this.wholeReason ??= reason;
  }

  /** The index of a time class, added where it is new. */
  time(wanted: TimeClass): number {
    const key = JSON.stringify(wanted);
    let ids = timeIds.get(this.times);
    if (!ids) {
      ids = new Map(this.times.map((time, id) => [JSON.stringify(time), id]));
      timeIds.set(this.times, ids);
    }
    let id = ids.get(key);
    if (id === undefined) {
      id = this.times.push(wanted) - 1;
      ids.set(key, id);
    }
    return id;
  }

  length(id: number): number | undefined {
    return staticLength(this.times, id);
  }

  /** The common time class of values that are combined row by row; refuses lengths known to differ. */
  sameTime(values: readonly ValueType[]): number {
    const known = values.map((value) => this.length(value.time));
    const numbers = known.filter((n) => n !== undefined);
    const timed = values.map((value) => hasTime(this.times[value.time]!));
    if (timed.some((t) => t !== timed[0]) || numbers.some((n) => n !== numbers[0])) {
      this.refuse('MODEL_SHAPE', 'its inputs have different numbers of steps', {
        found: values.map((value) => this.show(value)).join(' and '),
      });
    }
    const fixed = known.findIndex((n) => n !== undefined);
    return values[Math.max(fixed, 0)]!.time;
  }
}

/** An op's meaning for shapes, streaming and cost. Its instructions are in lower/ops. */
export interface OpDefinition {
  readonly op: string;
  readonly inputs: readonly string[] | 'list';
  /** Output names; values the op may be asked for. */
  readonly outputs: readonly string[];
  readonly weights: readonly string[] | 'cell';
  readonly attributes: readonly string[];
  infer(context: OpContext): Readonly<Record<string, ValueType>>;
}
