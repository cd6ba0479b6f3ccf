import { type ErrorCode, type ErrorDetail, fail } from '@gatefold/runtime';
import { get, type Json, type JsonObject, show, textOf } from '../json.ts';
import type { LayerSpec, ModelSpec } from './config.ts';
import type { Emitter } from './emitter.ts';
import { type KerasDim, type Mask, sizeOfShape, type Value } from './values.ts';
import type { KerasVersion } from './version.ts';
import type { Variable, Variables } from './variables.ts';

/** What all calls of one reading share. */
export interface Reading {
  readonly emitter: Emitter;
  readonly version: KerasVersion;
  readonly variables: Variables;
  /** Evaluates a nested model; given here so that layers need not know the graph walker. */
  runModel(model: ModelSpec, address: string, nodePrefix: string, inputs: readonly Value[]): Value[];
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
  /** Named arguments that are plain values. */
  readonly plain: JsonObject;

  constructor(
    reading: Reading,
    fields: Pick<LayerCall, 'layer' | 'address' | 'name' | 'inputs'> & Partial<Pick<LayerCall, 'extra' | 'plain'>>,
  ) {
    this.reading = reading;
    this.layer = fields.layer;
    this.address = fields.address;
    this.name = fields.name;
    this.inputs = fields.inputs;
    this.extra = fields.extra ?? {};
    this.plain = fields.plain ?? {};
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
  list(): readonly Value[] {
    if (this.inputs.length === 0) this.fail('FILE_CORRUPT', 'is called without inputs');
    return this.inputs.map((value) => this.numbers(value));
  }

  private numbers(value: Value): Value {
    if (value.truth) this.refuse('works on a mask, not on numbers');
    return value;
  }

  /** The mask of the step dimension: what the call was given, or what its input carries. */
  mask(): string | undefined {
    const given = this.extra.mask?.[0];
    const mask = given ? this.maskFrom(given) : this.inputs[0]?.mask;
    return typeof mask === 'string' ? mask : undefined;
  }

  private maskFrom({ truth }: Value): Mask | undefined {
    if (truth?.kind === 'differs' && truth.of.shape.length === 1) return differs(this.emitter, truth.of, truth.value);
    if (truth?.kind !== 'steps') return this.refuse('its mask comes from something other than Masking or Embedding');
    if (truth.mask === false) return this.refuse('its mask is false everywhere');
    return truth.mask;
  }

  option(key: string): Json | undefined {
    return get(this.config, key);
  }

  flag(key: string, otherwise = false): boolean {
    const value = this.option(key) ?? otherwise;
    return typeof value === 'boolean' ? value : value === 1 || (value !== 0 && this.odd(key, 'true or false'));
  }

  whole(key: string, low: number, otherwise?: number): number {
    const value = scalar(this.option(key)) ?? otherwise;
    return typeof value === 'number' && Number.isInteger(value) && value >= low && value < 1 << 30
      ? value
      : this.odd(key, `a whole number from ${low}`);
  }

  real(key: string, otherwise?: number): number {
    const value = scalar(this.option(key)) ?? otherwise;
    return typeof value === 'number' && Number.isFinite(value) ? value : this.odd(key, 'a number');
  }

  word<T extends string>(key: string, words: readonly T[], otherwise: T): T {
    const value = textOf(this.option(key) ?? otherwise);
    return words.includes(value as T) ? (value as T) : this.odd(key, words.join(' | '));
  }

  odd(key: string, expected: string): never {
    return this.refuse(`option "${key}" is not supported`, { expected, found: show(this.option(key)) });
  }

  /** Features last: what every sequence layer asks for. */
  channelsLast(): void {
    this.word('data_format', ['channels_last'], 'channels_last');
  }

  /** A variable's numbers, of exactly this shape (−1: any length). */
  variable(role: string, shape: readonly number[], at = ''): Variable {
    const variable = this.reading.variables.take(join(this.address, at, role));
    const fits = variable.shape.length === shape.length && shape.every((n, i) => n === -1 || n === variable.shape[i]);
    if (!fits) {
      this.fail('MODEL_SHAPE', `its ${role} does not fit`, {
        expected: `[${shape.map((n) => (n === -1 ? 'any' : n)).join(', ')}]`,
        found: `[${variable.shape.join(', ')}]`,
      });
    }
    return variable;
  }

  weight(role: string, shape: readonly number[], make: () => Float32Array): string {
    return this.emitter.weight(`${this.address}/${role}`, shape, make);
  }

  /** The last dimension, which must be known. */
  features(value: Value): number {
    return value.shape.at(-1) ?? this.refuse('the number of features must be known', { found: showShape(value) });
  }

  /** A sequence: [time, features]. */
  sequence(value: Value): { steps: KerasDim; features: number } {
    if (value.shape.length !== 2 || value.each) {
      this.refuse('works on sequences', { expected: '[batch, time, features]', found: showShape(value) });
    }
    return { steps: value.shape[0]!, features: this.features(value) };
  }

  /** Ids that are held as steps become one vector. */
  vector(value: Value): Value {
    if (!value.steps) return value;
    const size = sizeOfShape(value.shape) ?? this.refuse('the number of features must be known', { found: showShape(value) });
    const name = this.emitter.node(`${this.name}/vector`, 'reshape', value.name, { attributes: { shape: [size] } });
    return { name, shape: [size] };
  }

  /** A value like x, without its mask unless it is kept. */
  like(x: Value, name: string, shape: readonly KerasDim[] = x.shape, mask: Mask | undefined = x.mask): Value {
    return { name, shape, mask, each: x.each };
  }
}

/** The 0/1 value of x ≠ number in any feature; one node for all that ask for it. */
export function differs(emitter: Emitter, x: Value, value: number): string {
  const known = emitter.nodes.find((node) => node.op === 'mask' && node.inputs.x === x.name && node.attributes.value === value);
  return known?.outputs.y ?? emitter.node(`${x.name}/mask`, 'mask', x.name, { attributes: { value } });
}

export function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

export function showShape({ shape, each }: Value): string {
  const dims = each ? [each.steps, ...shape] : shape;
  return `[${['batch', ...dims.map((dim) => dim ?? 'open')].join(', ')}]`;
}

/** Keras writes numbers of one dimension as [n]. */
function scalar(json: Json | undefined): Json | undefined {
  return Array.isArray(json) && json.length === 1 ? json[0] : json;
}
