import { fail } from '@gatefold/runtime';

/** How tensors of a state dict become weights of the model, and how they are made of them again. Plain JSON. */
export type Form =
  /** As it is. */
  | { readonly kind: 'copy' }
  /** [inputs, outputs] of the file as [outputs, inputs]. */
  | { readonly kind: 'transpose' }
  /** Rows in blocks, one per gate: block `order[g]` of the file is gate g of the model. */
  | { readonly kind: 'gates'; readonly order: readonly number[]; readonly transposed?: boolean }
  /** Two biases that are always added: their sum, in gates. */
  | { readonly kind: 'gateSum'; readonly order: readonly number[] }
  /** [outputs, inputs, taps] as [outputs, taps·inputs]. */
  | { readonly kind: 'taps'; readonly taps: number }
  /** Mean, variance and, where there are, factor and offset, as scale and shift. */
  | { readonly kind: 'batchNorm'; readonly epsilon: number };

/** Weights of the model and the keys that they are made of. */
export interface Binding {
  readonly weights: readonly string[];
  readonly keys: readonly string[];
  readonly form: Form;
}

export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The model's weights from the tensors of the binding's keys. */
export function bind(form: Form, tensors: readonly Numbers[]): Numbers[] {
  const [first, second] = tensors;
  switch (form.kind) {
    case 'copy':
      return [first!];
    case 'transpose':
      return [transpose(first!)];
    case 'gates':
      return [reorder(form.transposed ? transpose(first!) : first!, form.order)];
    case 'gateSum': {
      const sum = first!.data.map((value, i) => value + second!.data[i]!);
      return [reorder({ shape: first!.shape, data: sum }, form.order)];
    }
    case 'taps': {
      const [outputs = 0, inputs = 0] = first!.shape;
      return [{ shape: [outputs, inputs * form.taps], data: exchange(first!.data, inputs, form.taps) }];
    }
    case 'batchNorm':
      return fold(form.epsilon, tensors);
  }
}

/**
 * The tensors of the binding's keys from weights of the model. Sizes may have changed since they were read.
 * @throws MODEL_UNSUPPORTED where the file has no place for the values
 */
export function unbind({ form, keys, weights }: Binding, values: readonly Numbers[]): Numbers[] {
  const [first, second] = values as [Numbers, Numbers];
  switch (form.kind) {
    case 'copy':
      return [first];
    case 'transpose':
      return [transpose(first)];
    case 'gates': {
      const rows = reorder(first, inverse(form.order));
      return [form.transposed ? transpose(rows) : rows];
    }
    case 'gateSum':
      return [reorder(first, inverse(form.order)), { shape: first.shape, data: new Float32Array(first.data.length) }];
    case 'taps': {
      const [outputs = 0, columns = 0] = first.shape;
      const inputs = columns / form.taps;
      return [{ shape: [outputs, inputs, form.taps], data: exchange(first.data, form.taps, inputs) }];
    }
    case 'batchNorm': {
      if (keys.length !== 4) {
        fail('MODEL_UNSUPPORTED', 'a changed normalization has no place in a BatchNorm without factors', {
          place: weights[0]!,
        });
      }
      // Any statistics will do whose root is 1: then factor and offset are scale and shift.
      const variance = new Float32Array(first.data.length).fill(1 - form.epsilon);
      return [
        first,
        second,
        { shape: first.shape, data: new Float32Array(first.data.length) },
        { shape: first.shape, data: variance },
      ];
    }
  }
}

function inverse(order: readonly number[]): number[] {
  const out: number[] = [];
  for (const [to, from] of order.entries()) out[from] = to;
  return out;
}

function reorder({ shape, data }: Numbers, order: readonly number[]): Numbers {
  const block = data.length / order.length;
  const out = new Float32Array(data.length);
  for (const [to, from] of order.entries()) out.set(data.subarray(from * block, (from + 1) * block), to * block);
  return { shape, data: out };
}

/** Matrices transposed; vectors are what they are. */
function transpose({ shape, data }: Numbers): Numbers {
  if (shape.length !== 2) return { shape, data };
  const [rows, columns] = shape as [number, number];
  return { shape: [columns, rows], data: exchange(data, rows, columns) };
}

/** Every [rows, columns] block of the data transposed. */
function exchange(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  const size = rows * columns;
  for (let start = 0; start < data.length; start += size) {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) out[start + c * rows + r] = data[start + r * columns + c]!;
    }
  }
  return out;
}

/** Tensors are (factor, offset, mean, variance) or (mean, variance). */
function fold(epsilon: number, tensors: readonly Numbers[]): Numbers[] {
  const [factor, offset] = tensors.length === 4 ? tensors : [];
  const [mean, variance] = tensors.slice(-2) as [Numbers, Numbers];
  const scale = Array.from(variance.data, (v, i) => (factor?.data[i] ?? 1) / Math.sqrt(v + epsilon));
  const shift = scale.map((s, i) => (offset?.data[i] ?? 0) - mean.data[i]! * s);
  const { shape } = mean;
  return [
    { shape, data: Float32Array.from(scale) },
    { shape, data: Float32Array.from(shift) },
  ];
}
