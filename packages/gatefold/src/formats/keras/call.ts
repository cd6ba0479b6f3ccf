import { type ErrorCode, type ErrorDetail, fail } from '@gatefold/runtime';
import { get, type Json, type JsonObject, show, textOf } from '../json.ts';
import type { LayerSpec, ModelSpec } from './config.ts';
import type { Emitter, NodeOptions } from './emitter.ts';
import { differs } from './masks.ts';
import { type KerasDim, type Mask, showShape, type Value } from './values.ts';
import type { Variable, Variables } from './variables.ts';
import type { KerasVersion } from './version.ts';

/** What all calls of one reading share. */
export interface Reading {
  readonly emitter: Emitter;
  readonly version: KerasVersion;
  readonly variables: Variables;
  /** Evaluates a nested model; given here so that layers need not know the graph walker. */
  runModel(model: ModelSpec, address: string, inputs: readonly Value[]): Value[];
}

/** One call of a layer: what its kind reads to add nodes. */
export class LayerCall {
  readonly reading: Reading;
  readonly layer: LayerSpec;
  /** Prefix of the layer's weights, the same for all its calls. */
  readonly address: string;
  /** Name of the call's main node. */
  readonly name: string;
  readonly inputs: readonly Value[];
  /** Named arguments that are tensors. */
  readonly extra: Readonly<Record<string, readonly Value[]>>;

  constructor(
    reading: Reading,
    fields: Pick<LayerCall, 'layer' | 'address' | 'name' | 'inputs'> & Partial<Pick<LayerCall, 'extra'>>,
  ) {
    this.reading = reading;
    this.layer = fields.layer;
    this.address = fields.address;
    this.name = fields.name;
    this.inputs = fields.inputs;
    this.extra = fields.extra ?? {};
  }

  get config(): JsonObject {
    return this.layer.config;
  }

  get version(): KerasVersion {
    return this.reading.version;
  }

  get emitter(): Emitter {
    return this.reading.emitter;
  }

  fail(code: ErrorCode, message: string, detail: ErrorDetail = {}): never {
    return fail(code, `${this.layer.className} layer "${this.layer.name}": ${message}`, { place: this.address, ...detail });
  }

  /** Refuses an option or input that Gatefold has no meaning for. */
  refuse(message: string, detail: ErrorDetail = {}): never {
    return this.fail('MODEL_UNSUPPORTED', message, detail);
  }

  /** The only input, as numbers. */
  input(): Value {
    if (this.inputs.length !== 1) this.refuse('takes one input', { found: `${this.inputs.length}` });
    return this.numbers(this.inputs[0]!);
  }

  /** All inputs, as numbers. */
  list(): Value[] {
    if (this.inputs.length === 0) this.fail('FILE_CORRUPT', 'is called without inputs');
    return this.inputs.map((value) => this.numbers(value));
  }

  /** Refuses masks as numbers; ids that are held as steps become one vector. */
  numbers(value: Value): Value {
    if (value.truth) this.refuse('works on the result of an operation that is not read', { found: operationOf(value) });
    if (!value.steps) return value;
    const size = value.shape[0] ?? this.refuse('the number of features must be known', { found: showShape(value) });
    return { name: this.node('vector', 'reshape', value.name, { attributes: { shape: [size] } }), shape: [size] };
  }

  /** The mask of the steps: what the call was given, or what its first input carries. */
  mask(): string | undefined {
    const given = this.extra.mask?.[0];
    const mask = given ? this.maskFrom(given) : this.inputs[0]?.mask;
    return typeof mask === 'string' ? mask : undefined;
  }

  private maskFrom(given: Value): Mask {
    const { truth } = given;
    if (truth?.kind === 'differs' && truth.of.shape.length === 1) return differs(this.emitter, truth.of, truth.value);
    if (truth?.kind === 'steps' && truth.mask !== false) return truth.mask;
    // Keras 3 writes out how it made the mask that the input carries anyway.
    return this.inputs[0]?.mask ?? this.refuse('its mask is made in a way that is not read', { found: operationOf(given) });
  }

  option(key: string): Json | undefined {
    return get(this.config, key);
  }

  flag(key: string, otherwise = false): boolean {
    const value = this.option(key) ?? otherwise;
    return typeof value === 'boolean' ? value : this.odd(key, 'true or false');
  }

  whole(key: string, low: number, otherwise?: number): number {
    const value = scalar(this.option(key)) ?? otherwise;
    const fits = typeof value === 'number' && Number.isInteger(value) && value >= low && value < 2 ** 30;
    return fits ? value : this.odd(key, `a whole number from ${low}`);
  }

  real(key: string, otherwise?: number): number {
    const value = scalar(this.option(key)) ?? otherwise;
    return typeof value === 'number' && Number.isFinite(value) ? value : this.odd(key, 'a number');
  }

  word<T extends string>(key: string, words: readonly T[], otherwise: T): T {
    const value = textOf(this.option(key) ?? otherwise);
    return words.includes(value as T) ? (value as T) : this.odd(key, words.join(' | '));
  }

  /** One whole number or a list of them. */
  wholes(key: string): number[] {
    const value = this.option(key);
    const list = Array.isArray(value) ? value : [value];
    const fits = list.length <= 8 && list.every((n) => typeof n === 'number' && Number.isInteger(n) && Math.abs(n) < 2 ** 30);
    return fits ? (list as number[]) : this.odd(key, 'whole numbers');
  }

  odd(key: string, expected: string): never {
    return this.refuse(`option "${key}" is not supported`, { expected, found: show(this.option(key)) });
  }

  /** Features last: what every sequence layer asks for. */
  channelsLast(): void {
    this.word('data_format', ['channels_last'], 'channels_last');
  }

  /** A variable of exactly this shape (−1: any length). */
  variable(role: string, shape: readonly number[], part = ''): Variable {
    const variable = this.anyVariable(role, part);
    const fits = variable.shape.length === shape.length && shape.every((n, i) => n === -1 || n === variable.shape[i]);
    if (!fits) {
      this.fail('MODEL_SHAPE', `its ${role} does not fit`, {
        place: join(this.address, part, role),
        expected: `[${shape.map((n) => (n === -1 ? 'any' : n)).join(', ')}]`,
        found: `[${variable.shape.join(', ')}]`,
      });
    }
    return variable;
  }

  anyVariable(role: string, part = ''): Variable {
    return this.reading.variables.take(join(this.address, part, role));
  }

  /** A weight of ours, made once however often the layer is called; returns its name. */
  weight(role: string, shape: readonly number[], make: () => Float32Array): string {
    return this.emitter.weight(`${this.address}/${role}`, shape, make);
  }

  /** Adds a node of the call; the main one has no suffix. */
  node(suffix: string, op: string, x: string, options: NodeOptions = {}): string {
    return this.emitter.node(join(this.name, suffix), op, x, options);
  }

  /** The last dimension, which must be known. */
  features(value: Value): number {
    return value.shape.at(-1) ?? this.refuse('the number of features must be known', { found: showShape(value) });
  }

  /** A vector, or a sequence of vectors. */
  rows(value: Value): { features: number } {
    if (value.shape.length < 1 || value.shape.length > (value.each ? 1 : 2)) {
      this.refuse('works on one feature dimension', {
        expected: '[batch, features] or [batch, time, features]',
        found: showShape(value),
      });
    }
    return { features: this.features(value) };
  }

  /** A sequence: [time, features]. */
  sequence(value: Value): { steps: KerasDim; features: number } {
    if (value.shape.length !== 2 || value.each) {
      this.refuse('works on sequences', { expected: '[batch, time, features]', found: showShape(value) });
    }
    return { steps: value.shape[0]!, features: this.features(value) };
  }

  /** The number of steps, where the layer must know it. */
  knownSteps(value: Value): number {
    return (
      value.shape[0] ??
      this.refuse('the number of steps must be known', {
        found: showShape(value),
        hint: 'save the model with a fixed number of steps: keras.Input((steps, features))',
      })
    );
  }

  /** A value derived from x that keeps its mask. */
  keep(x: Value, name: string, shape: readonly KerasDim[] = x.shape): Value {
    return { name, shape, mask: x.mask, each: x.each };
  }

  /** A value derived from x without its mask. */
  bare(x: Value, name: string, shape: readonly KerasDim[] = x.shape): Value {
    return { name, shape, each: x.each };
  }
}

export function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

function operationOf({ truth }: Value): string {
  return truth?.kind === 'unknown' ? truth.op : 'a comparison';
}

/** Keras writes numbers of one dimension as [n]. */
function scalar(json: Json | undefined): Json | undefined {
  return Array.isArray(json) && json.length === 1 ? json[0] : json;
}
