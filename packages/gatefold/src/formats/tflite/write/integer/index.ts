import { fail } from '@gatefold/runtime';
import type { Interval } from '../../../../compress/index.ts';
import { type Port, TfliteBuilder, type WrittenOperator, type WrittenTensor } from '../file.ts';
import { type Coding, cellCoding, codesOf, codingOf, fixedCodings, sameCoding } from './coding.ts';
import { integerRules, type Rule } from './rules.ts';

/** A product's bias stands in 32 bits where activations have 8, in 64 where they have 16. */
const mostBias = 2 ** 31 - 1;

/** The LSTM kernel's tanh takes at most 6 bits before the point. */
const mostCell = 64;

/** What is asked of the integers of a file. */
interface IntegerOptions {
  readonly bits: 8 | 16;
  /** Whether its inputs and outputs are integers too; else they are float32, coded and decoded inside. */
  readonly ports: boolean;
}

/**
 * The same file with integer activations: every tensor of numbers that is not constant becomes an integer of `bits` (or of 16 where it is
 * wide) in the finest coding of its range, constants become what the kernels want beside them, weights stay the 8-bit codes that
 * they are. Where two operators code a tensor differently, QUANTIZE stands between.
 * @throws MODEL_UNSUPPORTED naming an operator without integer kernel, a tensor without range, a weight without codes
 */
export function withIntegers(
  source: TfliteBuilder,
  { inputs, outputs }: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] },
  { bits, ports }: IntegerOptions,
): { builder: TfliteBuilder; inputs: Port[]; outputs: Port[] } {
  const form = new IntegerForm(source, bits === 8 ? 'INT8' : 'INT16');
  const madeInputs = inputs.map(({ name, tensor }) => ({ name, tensor: form.input(tensor, ports) }));
  for (const operator of source.operators) form.add(operator);
  const madeOutputs = outputs.map(({ name, tensor }) => ({ name, tensor: form.output(tensor, ports) }));
  return { builder: form.builder, inputs: madeInputs, outputs: madeOutputs };
}

/** The range of constants, around zero. */
function spread(values: Float32Array): Interval {
  const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return { low: -most, high: most };
}

class IntegerForm {
  readonly builder = new TfliteBuilder();
  private readonly source: TfliteBuilder;
  /** Type of what is not wide. */
  private readonly narrow: Coding['type'];
  /** New tensors and their codings, by the old ones. */
  private readonly made = new Map<number, { readonly tensor: number; readonly coding?: Coding }>();
  /** What was made once for several users, by what it is. */
  private readonly constants = new Map<string, number>();

  constructor(source: TfliteBuilder, narrow: Coding['type']) {
    this.source = source;
    this.narrow = narrow;
  }

  private tensorOf(index: number): WrittenTensor {
    return this.source.tensors[index]!;
  }

  private typeOf({ wide }: WrittenTensor): Coding['type'] {
    return wide ? 'INT16' : this.narrow;
  }

  private refuse(
    message: string,
    place: string,
    hint = 'quantize with --operand f32, which leaves activations float32',
  ): never {
    fail('MODEL_UNSUPPORTED', `TensorFlow Lite's integers: ${message}`, { place, hint });
  }

  /** The finest coding of a tensor's range. */
  private finest(index: number): Coding {
    const tensor = this.tensorOf(index);
    const range = tensor.range ?? this.refuse('a value inside a function has no known range', tensor.name);
    if (!Number.isFinite(range.low) || !Number.isFinite(range.high)) this.refuse('a value is not finite', tensor.name);
    return codingOf(this.typeOf(tensor), range);
  }

  private once(key: string, make: () => number): number {
    const tensor = this.constants.get(key) ?? make();
    this.constants.set(key, tensor);
    return tensor;
  }

  /** A new tensor of a coding in place of an old one. */
  private define(index: number, coding: Coding): number {
    const { range: _range, wide: _wide, ...rest } = this.tensorOf(index);
    const tensor = this.builder.tensor({ ...rest, type: coding.type, scales: [coding.scale], zero: coding.zero });
    this.made.set(index, { tensor, coding });
    return tensor;
  }

  /** The tensor of an input: its integers, or float32 that QUANTIZE codes. */
  input(index: number, integer: boolean): number {
    const given = this.tensorOf(index);
    if (given.type !== 'FLOAT32') return this.kept(index);
    const coded = this.define(index, this.finest(index));
    if (integer) return coded;
    const { range: _range, wide: _wide, ...port } = given;
    const tensor = this.builder.tensor(port);
    this.builder.rename(coded, `${port.name}/codes`);
    this.builder.operator('QUANTIZE', [tensor], [coded], {}, 3);
    return tensor;
  }

  /** A tensor that stays as it is: indices, shapes, 8-bit weights. */
  private kept(index: number): number {
    if (index === -1) return -1;
    const known = this.made.get(index);
    if (known) return known.tensor;
    const tensor = this.builder.tensor(this.tensorOf(index));
    this.made.set(index, { tensor });
    return tensor;
  }

  /** The tensor of an output: its integers, or float32 that DEQUANTIZE makes of them. */
  output(index: number, integer: boolean): number {
    const { range: _range, wide, ...port } = this.tensorOf(index);
    if (integer) return this.operand(index, wide ? 'INT16' : this.narrow).tensor;
    const coded = this.made.get(index)!.tensor;
    const tensor = this.builder.tensor(port);
    this.builder.rename(coded, `${port.name}/codes`);
    this.builder.operator('DEQUANTIZE', [coded], [tensor], {}, 3);
    return tensor;
  }

  /** An activation in a type, or in the very coding that an operator wants. */
  private operand(
    index: number,
    wanted: Coding['type'] | Coding,
  ): { readonly tensor: number; readonly coding: Coding } {
    const { bytes, name, shape, signature } = this.tensorOf(index);
    if (bytes) return this.constant(index, wanted);
    const { tensor, coding } = this.made.get(index)!;
    const to =
      typeof wanted !== 'string' ? wanted : coding!.type === wanted ? coding! : codingOf(wanted, coding!.range);
    if (sameCoding(coding!, to)) return { tensor, coding: coding! };
    const key = `${tensor} ${to.type} ${to.scale} ${to.zero}`;
    const converted = this.once(key, () => {
      const between = this.builder.tensor({
        ...{ name: `${name}/${to.type.toLowerCase()}`, shape, type: to.type, scales: [to.scale], zero: to.zero },
        ...(signature ? { signature } : {}),
      });
      this.builder.operator('QUANTIZE', [tensor], [between], {}, 3);
      return between;
    });
    return { tensor: converted, coding: to };
  }

  /** Constant numbers beside activations. */
  private constant(
    index: number,
    wanted: Coding['type'] | Coding,
  ): { readonly tensor: number; readonly coding: Coding } {
    const { name, shape, range } = this.tensorOf(index);
    const values = this.floats(index);
    const coding = typeof wanted === 'string' ? codingOf(wanted, range ?? spread(values)) : wanted;
    const tensor = this.once(`${index} ${coding.type} ${coding.scale} ${coding.zero}`, () => {
      const bytes = new Uint8Array(codesOf(values, coding).buffer);
      return this.builder.tensor({ name, shape, type: coding.type, bytes, scales: [coding.scale], zero: coding.zero });
    });
    return { tensor, coding };
  }

  private floats(index: number): Float32Array {
    const { bytes, type, name } = this.tensorOf(index);
    if (!bytes || type !== 'FLOAT32') return this.refuse('a constant of numbers is expected', name);
    return new Float32Array(bytes.slice().buffer);
  }

  /** Adds an operator with integers in place of its floats. */
  add(operator: WrittenOperator): void {
    const { name, inputs, outputs } = operator;
    const [first = -1] = inputs;
    const [y = -1] = outputs;
    if (name === 'GATHER') {
      this.gather(operator);
      return;
    }
    if (name === 'DEQUANTIZE' && this.made.get(first)?.coding) {
      // Looked-up codes are activations as they are.
      this.made.set(y, this.made.get(first)!);
      return;
    }
    const rule = integerRules[name] ?? this.refuse(`there is no integer kernel for ${name}`, this.tensorOf(y).name);
    switch (rule.kind) {
      case 'same': {
        const { coding } = this.made.get(first)!;
        const x = coding && this.operand(first, this.tensorOf(y).wide ? 'INT16' : coding.type);
        // Indices are integers as they are.
        for (const output of outputs) x ? this.define(output, x.coding) : this.kept(output);
        this.emit(operator, rule, [x?.tensor ?? this.kept(first), ...inputs.slice(1).map((input) => this.kept(input))]);
        break;
      }
      case 'product':
        this.product(operator, rule);
        break;
      case 'lstm':
        this.lstm(operator, rule);
        break;
      default: {
        const type = this.typeOf(this.tensorOf(y));
        const coding =
          (rule.kind === 'fixed' && fixedCodings[name]![type]) ||
          (rule.kind === 'alike' && this.shared(inputs, type)) ||
          this.finest(y);
        const xs = inputs.map((input) =>
          this.tensorOf(input).type === 'FLOAT32'
            ? this.operand(input, rule.kind === 'alike' ? coding : type).tensor
            : this.kept(input),
        );
        this.define(y, coding);
        this.emit(operator, rule, xs);
      }
    }
  }

  /** The coding that all inputs have already. */
  private shared(inputs: readonly number[], type: Coding['type']): Coding | undefined {
    const [first, ...rest] = inputs.map((input) => this.made.get(input)?.coding);
    return first?.type === type && rest.every((other) => other && sameCoding(first, other)) ? first : undefined;
  }

  private emit(
    { name, outputs, options }: WrittenOperator,
    { versions }: Rule,
    inputs: readonly number[],
    intermediates?: number[],
  ): void {
    const made = outputs.map((output) => this.made.get(output)!);
    const isWide = made.some(({ coding }) => coding?.type === 'INT16');
    // Otherwise 16-bit scales would have to be powers of two.
    const general = name === 'ADD' || name === 'SUB' ? { ...options, powerOfTwo: false } : options;
    const ids = made.map(({ tensor }) => tensor);
    this.builder.operator(name, inputs, ids, general, versions[isWide ? 1 : 0], intermediates);
  }

  /** Rows of an 8-bit table stay codes in the table's scale. */
  private gather(operator: WrittenOperator): void {
    const [table = -1, ids = -1] = operator.inputs;
    const { type, scales, name } = this.tensorOf(table);
    if (type !== 'INT8') this.refuse('a table without codes', name, 'quantize it too');
    const scale = scales![0]!;
    const range = { low: -128 * scale, high: 127 * scale };
    this.define(operator.outputs[0]!, { type: 'INT8', scale, zero: 0, range });
    this.emit(operator, { kind: 'same', versions: [2, 2] }, [this.kept(table), this.kept(ids)]);
  }

  private product(operator: WrittenOperator, rule: Rule): void {
    const [x = -1, weights = -1, bias = -1] = operator.inputs;
    const [y = -1] = operator.outputs;
    const type = this.typeOf(this.tensorOf(y));
    const input = this.operand(x, type);
    const kernel = this.codes(weights);
    const shift = bias === -1 ? -1 : this.bias(bias, kernel.scales!, input.coding);
    this.define(y, this.finest(y));
    this.emit(operator, rule, [input.tensor, this.kept(weights), shift]);
  }

  private codes(index: number): WrittenTensor {
    const tensor = this.tensorOf(index);
    return tensor.type === 'INT8'
      ? tensor
      : this.refuse('a weight has no codes', tensor.name, 'quantize all weights, or with --operand f32');
  }

  /** A bias in the scale of what it is added to, the input's times the weights'. */
  private bias(index: number, scales: ArrayLike<number>, { scale, type }: Coding): number {
    const { name, shape } = this.tensorOf(index);
    const values = this.floats(index);
    const own = Float32Array.from(scales, (of) => of * scale);
    return this.once(`${index} bias ${own.join()}`, () => {
      const codes = Array.from(values, (value, i) => Math.round(value / own[own.length === 1 ? 0 : i]!));
      if (codes.some((code) => Math.abs(code) > mostBias)) {
        this.refuse(
          'a bias is too large for the scale of its product',
          name,
          'leave the weights of this layer out with --target',
        );
      }
      const wide = type === 'INT16';
      const bytes = new Uint8Array(wide ? BigInt64Array.from(codes, BigInt).buffer : Int32Array.from(codes).buffer);
      return this.builder.tensor({ name, shape, type: wide ? 'INT64' : 'INT32', bytes, scales: own });
    });
  }

  /**
   * UNIDIRECTIONAL_SEQUENCE_LSTM as its integer kernel wants it: h and x in 8 bits, c in 16 with a power of two as scale, peepholes in
   * 16, biases in the scale of x and W; before a projection the output has a coding of its own.
   */
  private lstm(operator: WrittenOperator, rule: Rule): void {
    const { inputs, outputs, options } = operator;
    const [y = -1] = outputs;
    const { name } = this.tensorOf(y);
    if (options.activation !== 4) this.refuse('its LSTM knows no other activation than tanh', name);
    const x = this.operand(inputs[0]!, 'INT8');
    const output = this.finest(y);
    const c = cellCoding(this.tensorOf(inputs[19]!).range!);
    if (c.scale * 2 ** 15 > mostCell) {
      this.refuse(`the cell state exceeds ±${mostCell}`, name, 'quantize with --operand u14, or --operand f32');
    }
    const made = inputs.map((input, i) => {
      if (input === -1) return -1;
      if (i === 0) return x.tensor;
      if (i >= 9 && i <= 11) return this.peephole(input);
      if (i >= 12 && i <= 15) {
        const gate = inputs[i - 11]!;
        return this.bias(input, this.codes(gate === -1 ? inputs[2]! : gate).scales!, x.coding);
      }
      if (i === 18) return this.define(input, output);
      if (i === 19) return this.define(input, c);
      this.codes(input);
      return this.kept(input);
    });
    this.define(y, output);
    const [hidden = -1] = operator.intermediates ?? [];
    const coding = inputs[16] === -1 ? output : this.finest(hidden);
    const unused = Array.from({ length: 4 }, (_, i) =>
      this.builder.tensor({ name: `${name}/intermediate ${i}`, shape: [0], type: 'FLOAT32' }),
    );
    this.emit(operator, rule, made, [...unused, this.define(hidden, coding)]);
  }

  private peephole(index: number): number {
    const { type, name, shape, bytes, scales } = this.tensorOf(index);
    const codes =
      type === 'INT8' ? Int16Array.from(new Int8Array(bytes!.buffer, bytes!.byteOffset, bytes!.length)) : undefined;
    if (codes)
      return this.builder.tensor({ name, shape, type: 'INT16', bytes: new Uint8Array(codes.buffer), scales: scales! });
    return this.constant(index, 'INT16').tensor;
  }
}
