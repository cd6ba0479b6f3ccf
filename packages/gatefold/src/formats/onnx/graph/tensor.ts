import { sizeOf } from '@gatefold/runtime';

/** A length that the file does not fix, or a number made from one; equal symbols are equal lengths. */
export interface Unknown {
  readonly symbol: string;
}
export type Dim = number | Unknown;

export type ElementType = 'float' | 'int' | 'bool';

/** A tensor known while reading. Shape arithmetic may leave unknown elements in it. */
export interface Constant {
  readonly kind: 'constant';
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number> | readonly Dim[];
  /** The initializer it is, for the names of weights. */
  readonly origin?: string;
  /** Whether it is repeated along a length that the file leaves open; that axis is shown as 1. */
  readonly open?: boolean;
  /** How the file codes its floats, where in less than 32 bits. */
  readonly coding?: Coding;
}

/** float16, or code·scale (+ offset) for each element. */
export type Coding =
  | 'half'
  | {
      readonly codes: Float32Array;
      readonly scales: Float32Array;
      readonly offsets?: Float32Array;
      /** Whether the file multiplies it in integers, by operands that it codes as they come. */
      readonly integer?: boolean;
    };

/** One number everywhere, of a shape that may be unknown: zeros for an initial state. */
export interface Fill {
  readonly kind: 'fill';
  readonly type: ElementType;
  readonly dims: readonly Dim[];
  readonly value: number;
}

/**
 * An axis of the file's tensor: the batch, time, a part of the features (`stride` floats apart in the row), or the batch
 * and time in one (`rows`, as reshapes to two dimensions leave them).
 */
export type Axis =
  | { readonly role: 'batch' | 'time'; readonly size: Dim }
  | { readonly role: 'feature'; readonly size: number; readonly stride: number }
  | { readonly role: 'rows'; readonly size: Dim; readonly parts: readonly [Axis, Axis] };

export type FeatureAxis = Axis & { role: 'feature' };

/**
 * A value of the Gatefold graph, [batch, (time,) features], seen as the file's tensor: a strided view of its features
 * from `offset` on. Transposes, squeezes and slices of features thus cost nothing until an op needs them in a row.
 */
export interface Value {
  readonly kind: 'value';
  readonly name: string;
  readonly offset: number;
  readonly axes: readonly Axis[];
  /** Whole numbers: ids of an embedding. */
  readonly integer?: boolean;
}

export type Tensor = Constant | Fill | Value;

export const isUnknown = (dim: Dim): dim is Unknown => typeof dim !== 'number';
export const sameDim = (a: Dim, b: Dim): boolean => a === b || (isUnknown(a) && isUnknown(b) && a.symbol === b.symbol);
export const showDim = (dim: Dim): string => (isUnknown(dim) ? dim.symbol : String(dim));

export function feature(size: number, stride = 0): FeatureAxis {
  return { role: 'feature', size, stride };
}

export function isFeature(axis: Axis): axis is FeatureAxis {
  return axis.role === 'feature';
}

/** Axes of features in a row, row-major. */
export function plainFeatures(sizes: readonly number[]): FeatureAxis[] {
  let stride = sizeOf(sizes);
  return sizes.map((size) => {
    stride /= size;
    return feature(size, stride);
  });
}

/** Lengths of all axes, as ONNX' Shape gives them. */
export function dimsOf(tensor: Tensor): readonly Dim[] {
  if (tensor.kind === 'constant') return tensor.shape;
  return tensor.kind === 'fill' ? tensor.dims : tensor.axes.map(({ size }) => size);
}

export function showTensor(tensor: Tensor): string {
  const dims =
    tensor.kind === 'value'
      ? tensor.axes.map((axis) => (axis.role === 'feature' ? String(axis.size) : `${axis.role} ${showDim(axis.size)}`))
      : dimsOf(tensor).map(showDim);
  return `${tensor.kind === 'value' ? '' : `${tensor.kind} `}[${dims.join(', ')}]`;
}

/** The numbers of a constant; undefined where one is unknown. */
export function numbersOf({ data }: Constant): ArrayLike<number> | undefined {
  if (ArrayBuffer.isView(data)) return data as ArrayLike<number>;
  return (data as readonly Dim[]).some(isUnknown) ? undefined : (data as readonly number[]);
}

export function constant(
  type: ElementType,
  shape: readonly number[],
  data: ArrayLike<number> | readonly Dim[],
): Constant {
  return { kind: 'constant', type, shape, data };
}

/** The one number of which a constant consists, where it does. */
export function uniform(tensor: Constant | Fill): number | undefined {
  if (tensor.kind === 'fill') return tensor.value;
  const numbers = numbersOf(tensor);
  if (!numbers || numbers.length === 0) return undefined;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] !== numbers[0]) return undefined;
  return numbers[0];
}
