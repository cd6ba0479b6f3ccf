import { fail } from '@gatefold/runtime';
import { FlatBuffer, type Table } from './flatbuffer.ts';
import { operatorNames, optionTables, tensorTypes } from './schema.ts';

export type TensorType = (typeof tensorTypes)[number];

/** real = scale·(code − zero), per tensor or along `axis`. */
export interface Quantization {
  readonly scales: readonly number[];
  readonly zeros: readonly number[];
  readonly axis: number;
}

export interface Tensor {
  readonly index: number;
  readonly name: string;
  /** Open dimensions stand as {@link open}. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** The bytes of a constant. */
  readonly data?: Uint8Array;
  readonly quantization?: Quantization;
  readonly variable: boolean;
}

export type Options = Readonly<Record<string, number | boolean | readonly number[]>>;

export interface Operator {
  readonly name: string;
  /** Tensor indices; −1 for optional inputs that are absent. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** The inputs as the operator itself reads them, where what only codes and decodes them was taken out. */
  readonly codedInputs?: readonly number[];
  readonly options: Options;
  /** `operators[3] LOGISTIC`. */
  readonly place: string;
}

export interface Subgraph {
  readonly name: string;
  readonly tensors: readonly Tensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly Operator[];
}

export interface TfliteFile {
  readonly description: string;
  readonly graphs: readonly Subgraph[];
}

/**
 * Stands for a number of steps that the file leaves open, so that shape arithmetic can be folded: a prime that no real
 * dimension may have.
 */
export const open = 999_983;
const mostRank = 8;

/** @throws FILE_TRUNCATED, FILE_CORRUPT, FILE_VERSION, FILE_TOO_LARGE, MODEL_UNSUPPORTED */
export function parseTflite(bytes: Uint8Array): TfliteFile {
  const model = new FlatBuffer(bytes).root();
  const version = model.uint(0);
  if (version !== 3) {
    fail('FILE_VERSION', 'TensorFlow Lite models of this schema version are not read', {
      place: 'version',
      expected: '3',
      found: String(version),
    });
  }
  const codes = model.tables(1, 'operator_codes').map((code) => ({
    // Codes above 127 stand in the newer field, older files have the byte alone.
    code: Math.max(code.byte(0), code.int(3)),
    custom: code.text(1),
  }));
  const buffers = model.tables(4, 'buffers').map((buffer) => {
    if (buffer.long(1) > 1 || buffer.long(2) > 1) {
      fail('MODEL_UNSUPPORTED', 'buffers outside the flatbuffer are not read', { place: buffer.place });
    }
    return buffer.data(0);
  });
  const graphs = model.tables(2, 'subgraphs').map((graph) => readGraph(graph, codes, buffers));
  return { description: model.text(3) ?? '', graphs };
}

function readGraph(
  graph: Table,
  codes: readonly { code: number; custom: string | undefined }[],
  buffers: readonly (Uint8Array | undefined)[],
): Subgraph {
  const tensors = graph.tables(0, `${graph.place}.tensors`).map((tensor, i) => readTensor(tensor, i, buffers));
  const known = (indices: readonly number[] | undefined, least: number, place: string) => {
    for (const index of indices ?? []) {
      if (index < least || index >= tensors.length) {
        fail('FILE_CORRUPT', 'a tensor is referred to that does not exist', { place, found: String(index) });
      }
    }
    return indices ?? [];
  };
  const operators = graph.tables(3, `${graph.place}.operators`).map((operator, i): Operator => {
    const entry = codes[operator.uint(0)];
    const at = `operators[${i}]`;
    if (!entry) return fail('FILE_CORRUPT', 'an operator has no code', { place: at });
    const name = entry.custom === undefined ? operatorNames[entry.code] : `custom operator "${entry.custom}"`;
    const place = `${at} ${name}`;
    return {
      name: name ?? `operator ${entry.code}`,
      inputs: known(operator.ints(1), -1, place),
      outputs: known(operator.ints(2), 0, place),
      options: readOptions(operator, name ?? '', place),
      place,
    };
  });
  return {
    name: graph.text(4) ?? '',
    tensors,
    inputs: known(graph.ints(1), 0, `${graph.place}.inputs`),
    outputs: known(graph.ints(2), 0, `${graph.place}.outputs`),
    operators,
  };
}

function readOptions(operator: Table, name: string, place: string): Options {
  const known = Object.hasOwn(optionTables, name) ? optionTables[name] : undefined;
  if (!known) return {};
  const union = operator.ubyte(3);
  const table = union === 0 ? undefined : operator.table(4, place);
  if (union !== 0 && union !== known.union) {
    fail('FILE_CORRUPT', 'an operator has the options of another', { place, found: `options ${union}` });
  }
  const out: Record<string, number | boolean | readonly number[]> = {};
  for (const [field, [id, kind, otherwise = 0]] of Object.entries(known.fields)) {
    if (kind === 'bool') out[field] = table?.bool(id, otherwise === 1) ?? otherwise === 1;
    else if (kind === 'ints') out[field] = table?.ints(id) ?? [];
    else out[field] = table?.[kind](id, otherwise) ?? otherwise;
  }
  return out;
}

function readTensor(tensor: Table, index: number, buffers: readonly (Uint8Array | undefined)[]): Tensor {
  const name = tensor.text(3) ?? '';
  const place = name || tensor.place;
  const type = tensorTypes[tensor.byte(1)];
  if (type === undefined) {
    fail('MODEL_UNSUPPORTED', `tensor "${place}" is of a type that is not read`, {
      place,
      expected: tensorTypes.join(', '),
      found: `type ${tensor.byte(1)}`,
    });
  }
  if (tensor.has(6))
    fail('MODEL_UNSUPPORTED', 'sparse tensors are not read', { place, hint: 'convert without sparsity' });
  const given = tensor.ints(0) ?? [];
  const signature = tensor.ints(7);
  if (given.length > mostRank || (signature && signature.length !== given.length)) {
    fail('FILE_CORRUPT', 'a tensor has a malformed shape', { place, found: `[${given}]` });
  }
  const shape = given.map((dim, i) => (i > 0 && signature?.[i] === -1 ? open : dim));
  const odd = given.find((dim) => dim < 0 || dim > 1 << 24 || dim === open);
  if (odd !== undefined) fail('FILE_CORRUPT', 'a tensor has a malformed shape', { place, found: `[${given}]` });
  const buffer = tensor.uint(2);
  if (buffer >= buffers.length) fail('FILE_CORRUPT', 'a tensor has no buffer', { place, found: String(buffer) });
  const bytes = buffers[buffer];
  const quantization = readQuantization(tensor, shape, place);
  return {
    index,
    name,
    shape,
    type,
    ...(bytes && bytes.length > 0 ? { data: bytes } : {}),
    ...(quantization ? { quantization } : {}),
    variable: tensor.bool(5),
  };
}

function readQuantization(tensor: Table, shape: readonly number[], place: string): Quantization | undefined {
  const table = tensor.table(4);
  const scales = table?.floats(2);
  if (!table || !scales || scales.length === 0) return undefined;
  if (table.ubyte(4) !== 0) fail('MODEL_UNSUPPORTED', 'quantization of this kind is not read', { place });
  const zeros = table.longs(3) ?? [];
  const axis = table.int(6);
  const wanted = scales.length === 1 ? 1 : shape[axis];
  if (
    scales.length !== wanted ||
    (zeros.length !== 0 && zeros.length !== scales.length) ||
    !scales.every((scale) => Number.isFinite(scale) && scale >= 0) ||
    !zeros.every((zero) => Math.abs(zero) <= 1 << 16)
  ) {
    fail('FILE_CORRUPT', 'a tensor has malformed scales', { place, found: `${scales.length} scales for [${shape}]` });
  }
  return { scales, zeros: zeros.length === 0 ? scales.map(() => 0) : zeros, axis };
}
