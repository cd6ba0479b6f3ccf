import { fail } from '@gatefold/runtime';
import type { GraphBuilder } from '../graph-builder.ts';
import type { Json, LayerConfig } from './config.ts';
import type { StoredArray, Supply } from './supply.ts';
import type { KerasTensor } from './tensor.ts';
import type { KerasVersion } from './version.ts';

/** What a layer's reader works with: its configuration, its weights and the graph it adds to. */
export interface LayerContext {
  readonly builder: GraphBuilder;
  readonly layer: LayerConfig;
  /** The layer's name with those of the models around it. */
  readonly name: string;
  readonly supply: Supply;
  readonly version: KerasVersion;
  /** There are no weights yet: the model is to be trained, and statistics of batches must be able to follow them. */
  readonly isNew?: boolean;
  /** Inside TimeDistributed: the layer sees one step, though its tensors hold all of them. */
  readonly eachStep?: boolean;
  /** Reads another layer in place (wrappers, nested models). */
  readonly read: (context: LayerContext, inputs: readonly KerasTensor[], named: NamedArguments) => KerasTensor[];
}

export interface NamedArguments {
  /** Tensors passed by name (`initial_state`, `mask`), in order. */
  readonly tensors: Readonly<Record<string, readonly KerasTensor[]>>;
  /** All positional arguments in order, tensors or not. */
  readonly operands: readonly ({ readonly tensor: KerasTensor } | { readonly constant: unknown })[];
}

export const noArguments: NamedArguments = { tensors: {}, operands: [] };

/** Adds a layer's nodes for one call; returns its output tensors with their masks. */
export type LayerReader = (
  context: LayerContext,
  inputs: readonly KerasTensor[],
  named: NamedArguments,
) => KerasTensor[];

/** Refuses a layer by name, saying what to do. */
export function refuseLayer({ layer, name }: Pick<LayerContext, 'layer' | 'name'>, what: string, hint?: string): never {
  fail('MODEL_UNSUPPORTED', `layer "${name}" (${layer.className}): ${what}`, {
    place: name,
    hint: hint ?? 'replace the layer, or open an issue with the model configuration',
  });
}

/** The only input of a layer. */
export function only(context: LayerContext, inputs: readonly KerasTensor[]): KerasTensor {
  return inputs.length === 1 ? inputs[0]! : refuseLayer(context, `takes one input, is called with ${inputs.length}`);
}

export function numberIn(context: LayerContext, key: string, otherwise?: number): number {
  const value = context.layer.config[key] ?? otherwise;
  return typeof value === 'number' && Number.isFinite(value)
    ? value
    : refuseLayer(context, `option "${key}" is no number`);
}

export function flagIn({ layer }: Pick<LayerContext, 'layer'>, key: string, otherwise = false): boolean {
  const value = layer.config[key];
  return typeof value === 'boolean' ? value : otherwise;
}

/** An option that Keras stores as a number or a list of one number. */
export function single(context: LayerContext, key: string, otherwise?: number): number {
  const value = context.layer.config[key] ?? otherwise;
  const first = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return typeof first === 'number' && Number.isInteger(first)
    ? first
    : refuseLayer(context, `option "${key}" is no whole number`);
}

/** Refuses channels before time. */
export function channelsLast(context: LayerContext): void {
  const format = context.layer.config.data_format ?? 'channels_last';
  if (format !== 'channels_last') refuseLayer(context, 'channels come first', 'use channels_last');
}

export function configOf(value: unknown, context: LayerContext, key: string): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : refuseLayer(context, `option "${key}" is malformed`);
}

/** Rows and columns exchanged: Keras' [inputs, outputs] becomes [outputs, inputs]. */
export function transposed({ shape, data }: { shape: readonly number[]; data: Float32Array }): {
  shape: number[];
  data: Float32Array;
} {
  const [rows, columns] = [shape[0]!, data.length / shape[0]!];
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  return { shape: [columns, rows], data: out };
}

/** The layer's next weight, of the shape that the configuration says. @throws MODEL_SHAPE where the file's has another */
export function takeWeight(
  context: LayerContext,
  shape: readonly number[],
  name: string,
  ...others: readonly string[]
): StoredArray {
  const stored = context.supply.take(shape, name, ...others);
  checkShape(context, name, stored.shape, shape);
  return stored;
}

/** Fails where an array read from the file has another shape than the configuration says. */
export function checkShape(
  context: LayerContext,
  what: string,
  shape: readonly number[],
  expected: readonly number[],
): void {
  if (shape.length === expected.length && shape.every((n, i) => n === expected[i])) return;
  fail('MODEL_SHAPE', `weight "${what}" of layer "${context.name}" does not fit its configuration`, {
    place: `${context.name}/${what}`,
    expected: `[${expected.join(', ')}]`,
    found: `[${shape.join(', ')}]`,
  });
}
