import type { Interval } from '../../../compress/index.ts';
import { operatorNames, optionTables, tensorTypes } from '../schema.ts';
import {
  bool,
  byte,
  data,
  type Flat,
  float,
  floats,
  int,
  ints,
  longs,
  table,
  tables,
  text,
  writeFlat,
} from './flat-writer.ts';

export type WrittenType = 'FLOAT32' | 'FLOAT16' | 'INT32' | 'INT8' | 'INT16' | 'INT64';

export interface WrittenTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** −1 where the number of steps is open. */
  readonly signature?: readonly number[];
  readonly type: WrittenType;
  readonly bytes?: Uint8Array;
  readonly scales?: ArrayLike<number>;
  /** The code of zero; default 0. */
  readonly zero?: number;
  readonly variable?: boolean;
  /** Range of its numbers, for files whose activations become integers. */
  readonly range?: Interval;
  /** Whether it becomes a 16-bit integer there, whatever the rest does. */
  readonly wide?: boolean;
}

export interface WrittenOperator {
  readonly name: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Readonly<Record<string, number | boolean>>;
  /** Tensors without numbers, whose scales the operator reads. */
  readonly intermediates?: readonly number[];
}

/** Collects tensors and operators of the one subgraph of a file. */
export class TfliteBuilder {
  readonly tensors: WrittenTensor[] = [];
  readonly operators: WrittenOperator[] = [];
  private readonly versions = new Map<string, number>();

  tensor(tensor: WrittenTensor): number {
    return this.tensors.push(tensor) - 1;
  }

  /** What a tensor turned out to be. */
  rename(tensor: number, name: string): void {
    this.tensors[tensor] = { ...this.tensors[tensor]!, name };
  }

  get constantBytes(): number {
    return this.tensors.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  }

  shapeOf(tensor: number): readonly number[] {
    return this.tensors[tensor]!.shape;
  }

  floats(
    name: string,
    shape: readonly number[],
    values: Float32Array,
    more: Pick<WrittenTensor, 'range' | 'wide'> = {},
  ): number {
    const bytes = new Uint8Array(values.slice().buffer);
    return this.tensor({ name, shape, type: 'FLOAT32', bytes, ...more });
  }

  ints(name: string, values: readonly number[], shape: readonly number[] = [values.length]): number {
    return this.tensor({ name, shape, type: 'INT32', bytes: new Uint8Array(Int32Array.from(values).buffer) });
  }

  /** Adds an operator; `version` is the least that a runtime must have. */
  operator(
    name: string,
    inputs: readonly number[],
    outputs: readonly number[],
    options: WrittenOperator['options'] = {},
    version = 1,
    intermediates?: readonly number[],
  ): void {
    this.versions.set(name, Math.max(version, this.versions.get(name) ?? 1));
    this.operators.push({ name, inputs, outputs, options, ...(intermediates ? { intermediates } : {}) });
  }

  /** @param ports tensors of the ports by their names, for the signature */
  write(inputs: readonly Port[], outputs: readonly Port[], description: string): Uint8Array {
    const codes = [...this.versions];
    const names = codes.map(([name]) => name);
    // Buffer 0 is the empty one, by convention.
    const buffers: Flat[] = [table({})];
    const tensorTables = this.tensors.map((tensor) => {
      const buffer = tensor.bytes ? buffers.push(table({ 0: data(tensor.bytes) })) - 1 : 0;
      return tensorTable(tensor, buffer);
    });
    const subgraph = table({
      0: tables(tensorTables),
      1: ints(inputs.map(({ tensor }) => tensor)),
      2: ints(outputs.map(({ tensor }) => tensor)),
      3: tables(this.operators.map((operator) => operatorTable(operator, names.indexOf(operator.name)))),
      4: text('main'),
    });
    const signature = table({
      0: tables(inputs.map(portTable)),
      1: tables(outputs.map(portTable)),
      2: text('serving_default'),
      4: int(0),
    });
    const root = table({
      0: int(3),
      1: tables(codes.map(([name, version]) => codeTable(name, version))),
      2: tables([subgraph]),
      3: text(description),
      4: tables(buffers),
      7: tables([signature]),
    });
    return writeFlat(root, 'TFL3');
  }
}

export interface Port {
  readonly name: string;
  readonly tensor: number;
}

function portTable({ name, tensor }: Port): Flat {
  return table({ 0: text(name), 1: int(tensor) });
}

function codeTable(name: string, version: number): Flat {
  const code = operatorNames.indexOf(name);
  return table({ 0: byte(Math.min(code, 127)), 2: int(version), 3: int(code) });
}

function tensorTable(tensor: WrittenTensor, buffer: number): Flat {
  const { shape, signature, type, name, scales, zero = 0, variable } = tensor;
  const quantization =
    scales &&
    table({
      2: floats(Array.from(scales)),
      3: longs(Array.from(scales, () => zero)),
      ...(scales.length > 1 ? { 6: int(0) } : {}),
    });
  return table({
    0: ints(shape),
    1: byte(tensorTypes.indexOf(type)),
    2: int(buffer),
    3: text(name),
    4: quantization,
    5: variable ? bool(true) : undefined,
    7: signature && ints(signature),
    8: bool(true),
  });
}

function operatorTable({ name, inputs, outputs, options, intermediates }: WrittenOperator, code: number): Flat {
  const known = Object.hasOwn(optionTables, name) ? optionTables[name] : undefined;
  const fields: Record<number, Flat> = {};
  for (const [field, [id, kind]] of Object.entries(known?.fields ?? {})) {
    const value = options[field];
    if (value === undefined) continue;
    fields[id] = kind === 'float' ? float(Number(value)) : kind === 'int' ? int(Number(value)) : byte(Number(value));
  }
  return table({
    0: int(code),
    1: ints(inputs),
    2: ints(outputs),
    3: known && byte(known.union),
    4: known && table(fields),
    8: intermediates && ints(intermediates),
  });
}
